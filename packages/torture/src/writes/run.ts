/** One run: traffic on all nodes, faults, the end of faults, the flush, and the last reads. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import * as PostgresServer from "@larder/testing/PostgresServer"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Choices from "@larder/traces/choices"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { now } from "../clock.ts"
import { open as openLog, readAll } from "../history/log.ts"
import { makeOf, replies } from "../run/workers.ts"
import {
  comboOf,
  type ComboName,
  type Command,
  type Config,
  freshFor,
  maxFreshFor,
  type Reply,
  roles,
} from "./Config.ts"
import { inject, type Target } from "./faults.ts"
import { type History, historyOf } from "./History.ts"
import { logged } from "./keys.ts"
import type { WriteLine } from "./Line.ts"
import type { Options } from "./options.ts"
import { Source, sourceOf } from "./Source.ts"

const script = fileURLToPath(new URL("worker.ts", import.meta.url))

const stopMillis = 15_000
const flushMillis = 30_000
const finalMillis = 20_000
/** After this no tier has an entry that began before the faults ended. */
const calmMillis = freshFor + maxFreshFor + 500

export interface Run {
  readonly history: History
  /** Errors of the tool itself. */
  readonly troubles: ReadonlyArray<string>
  readonly folder: string
}

const folderOf = Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "larder-writes-")))

const needsPostgres = (combos: ReadonlyArray<ComboName>): boolean =>
  combos.some((name) => comboOf[name].source === "postgres")

type Base = Omit<Config, "node" | "process" | "role" | "log">

const targetIn = (base: Base, node: string, role: Config["role"]) => {
  let generation = 0
  const configOf = (n: number): Config => {
    generation = n
    const process = `${node}${n}`
    return { ...base, node, process, role, log: path.join(base.folder, `${process}.jsonl`) }
  }
  const errors = path.join(base.folder, `${node}.err`)
  return Effect.map(makeOf<Command, Reply>(node, errors, configOf, script), (worker): Target => ({
    worker,
    process: () => `${node}${generation}`,
  }))
}

/** Asks all processes; returns the names of those that do not answer. */
const askAll = (
  targets: ReadonlyArray<Target>,
  _tag: Command["_tag"],
  answer: Reply["_tag"],
  millis: number,
) =>
  Effect.map(
    Effect.forEach(targets, ({ worker }) => worker.ask({ _tag }, replies<Reply>(answer), millis), {
      concurrency: "unbounded",
    }),
    (answers) =>
      targets.flatMap(({ worker }, i) =>
        answers[i] === true ? [] : [`${worker.name} did not answer to ${_tag}`],
      ),
  )

/** What the sources have, read by the coordinator itself. */
const rowsAtEnd = (base: Base, write: (line: WriteLine) => void) =>
  Effect.forEach(
    base.combos,
    (name) =>
      Effect.gen(function* () {
        const source = sourceOf(name, comboOf[name], base)
        const rows = yield* Source.use(({ all }) => all).pipe(
          Effect.provide(source),
          Effect.retry({ schedule: Schedule.spaced(200), times: 50 }),
        )
        for (const { ids, key, version } of rows) {
          write({ t: "source", key: logged(name, key), ids, version })
        }
      }),
    { discard: true },
  )

/** Runs once, for as long as the options say and about 15 seconds more. */
export const run = ({ combos, seconds, seed }: Options) =>
  Effect.gen(function* () {
    const folder = yield* folderOf
    const redis = yield* RedisServer.start({
      config: { appendonly: "yes", appendfsync: "everysec", save: "" },
    })
    const postgres = needsPostgres(combos) ? yield* PostgresServer.start() : undefined
    const base: Base = {
      seed,
      folder,
      combos,
      redisPort: redis.port,
      postgresUrl: postgres?.url,
    }
    const log = openLog<WriteLine>(path.join(folder, "coordinator.jsonl"))
    const targets = yield* Effect.forEach(Object.entries(roles), ([node, role]) =>
      targetIn(base, node, role),
    )
    const ready = yield* Effect.forEach(targets, ({ worker }) => worker.start, {
      concurrency: "unbounded",
    })
    const unready = targets.filter((_, i) => ready[i] !== true)
    const random = Choices.make(Choices.derived(seed, "faults"))
    const faults = yield* Effect.exit(
      inject({ random, log, targets, redis, postgres }, now() + seconds * 1_000),
    )
    const troubles = [
      ...unready.map(({ worker }) => `${worker.name} was not ready`),
      ...(faults._tag === "Failure" ? [`faults: ${faults.cause.toString()}`] : []),
      ...(yield* askAll(targets, "Stop", "Stopped", stopMillis)),
      ...(yield* askAll(targets, "Flush", "Flushed", flushMillis)),
    ]
    yield* Effect.sleep(calmMillis)
    troubles.push(...(yield* askAll(targets, "Final", "Done", finalMillis)))
    yield* rowsAtEnd(base, log.write)
    return { history: historyOf(readAll<WriteLine>(folder)), troubles, folder } satisfies Run
  }).pipe(Effect.scoped)
