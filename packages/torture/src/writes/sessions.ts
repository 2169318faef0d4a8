/** What a process does with one stack: writes in each mode, and reads. */
import type { Larder } from "@larder/core"
import type { Choices } from "@larder/traces/choices"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { now } from "../clock.ts"
import type { ComboName, Config } from "./Config.ts"
import * as keys from "./keys.ts"
import type { Mode, WriteLine } from "./Line.ts"
import { Source } from "./Source.ts"
import { Count, Counts, Direct, Put, Puts, type Stack } from "./stack.ts"

export interface World {
  readonly config: Config
  readonly combo: ComboName
  readonly random: Choices
  readonly log: (line: WriteLine) => void
  /** Ids are unique in a run. */
  readonly nextId: () => string
  readonly isStopped: () => boolean
}

/** An acknowledged write. */
interface Acknowledged {
  readonly version: number
  readonly settled: boolean | undefined
}

type Writes = (key: string, id: string) => Effect.Effect<Acknowledged, unknown, Stack>

/** The order of writes around which nothing else orders: the time at which they began. */
const timeAsVersion = (): number => Math.round(now() * 1_000)

const hasTag = (error: unknown, tag: string): boolean =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === tag

const around: Writes = (key, id) =>
  Effect.suspend(() => {
    const version = timeAsVersion()
    const save = Source.use((source) => source.save([{ key, ids: [id], version }]))
    return Direct.around(key, { require: "settled" })(save).pipe(
      Effect.as({ version, settled: true }),
      // The source has it all the same.
      Effect.catchIf(
        (error) => hasTag(error, "NotSettled"),
        () => Effect.succeed({ version, settled: false }),
      ),
    )
  })

const through: Writes = (key, id) =>
  Effect.suspend(() => {
    let taken = 0
    return Effect.as(
      Direct.through(key)(({ version }) => {
        taken = version
        return Source.use((source) =>
          Effect.andThen(source.save([{ key, ids: [id], version }]), source.find(key)),
        )
      }),
      undefined,
    ).pipe(Effect.map(() => ({ version: taken, settled: undefined })))
  })

const update: Writes = (key, id) =>
  Effect.suspend(() => {
    let taken = 0
    return Direct.update(key, (current, { version }) =>
      Effect.gen(function* () {
        taken = version
        const source = yield* Source
        const had = Option.isSome(current) ? current.value : yield* source.find(key)
        // It runs again after a lost turn, and then the source may have it.
        const ids = had.includes(id) ? had : [...had, id]
        yield* source.save([{ key, ids, version }])
        return Option.some(ids)
      }),
    ).pipe(Effect.map(() => ({ version: taken, settled: true })))
  })

const put: Writes = (key, id) =>
  Effect.map(
    Puts.use((writes) => writes.put(key, [id])),
    ({ version }) => ({ version, settled: undefined }),
  )

const count: Writes = (key, id) =>
  Effect.map(
    Counts.use((writes) => writes.put(key, [id])),
    ({ version }) => ({ version, settled: undefined }),
  )

const writes: Readonly<Record<Mode, Writes>> = { around, through, update, put, count }

const written = (world: World, mode: Mode, key: string): Effect.Effect<void, never, Stack> =>
  Effect.gen(function* () {
    const { combo, config, log, nextId } = world
    const id = nextId()
    log({
      t: "begun",
      id,
      key: keys.logged(combo, key),
      mode,
      process: config.process,
      at: now(),
    })
    const exit = yield* Effect.exit(writes[mode](key, id))
    if (Exit.isSuccess(exit)) log({ t: "acknowledged", id, at: now(), ...exit.value })
    else log({ t: "failed", id, at: now(), why: Cause.pretty(exit.cause).slice(0, 300) })
  })

type Reads = Pick<Larder.Larder<string, ReadonlyArray<string>, unknown>, "getWithMeta">

const larderOf = (key: string): Effect.Effect<Reads, never, Stack> =>
  Effect.suspend((): Effect.Effect<Reads, never, Stack> => {
    if (key.startsWith("p")) return Effect.map(Put, (larder) => larder)
    return key.startsWith("c")
      ? Effect.map(Count, (larder) => larder)
      : Effect.map(Direct, (larder) => larder)
  })

const readIn = (key: string) => Effect.flatMap(larderOf(key), (larder) => larder.getWithMeta(key))

const read = ({ combo, config, log }: World, key: string): Effect.Effect<void, never, Stack> =>
  Effect.gen(function* () {
    const from = now()
    const exit = yield* Effect.exit(readIn(key))
    if (Exit.isFailure(exit)) return
    const { freshness, tier, value } = exit.value
    log({
      t: "read",
      process: config.process,
      key: keys.logged(combo, key),
      from,
      to: now(),
      id: value.at(-1),
      isFresh: freshness._tag === "Fresh",
      tier,
    })
  })

/** Repeats until the run stops; `least` and `most` are the rest between two, ms. */
const repeated = (
  { isStopped, random }: World,
  [least, most]: readonly [number, number],
  once: () => Effect.Effect<void, never, Stack>,
): Effect.Effect<void, never, Stack> =>
  Effect.suspend(once).pipe(
    Effect.andThen(Effect.suspend(() => Effect.sleep(random.between(least, most)))),
    Effect.repeat({ while: () => !isStopped() }),
    Effect.asVoid,
  )

/** All that a process does with a stack, until the run stops. */
export const sessions = (world: World): ReadonlyArray<Effect.Effect<void, never, Stack>> => {
  const { combo, config, random } = world
  const every = keys.allKeys(combo)
  const reader = repeated(world, [5, 40], () => read(world, random.pick(every)))
  if (config.role === "flusher") return [reader, reader]
  const direct = keys.directModes(combo)
  const changer = () => {
    const mode = random.pick(direct)
    return written(world, mode, random.pick(keys.keysOf(combo, mode)))
  }
  const putter = () => written(world, "put", random.pick(keys.keysOf(combo, "put")))
  return [
    reader,
    ...(direct.length === 0 ? [] : [repeated(world, [20, 80], changer)]),
    repeated(world, [10, 50], putter),
    // One after the other: of two puts of one count at a time the later may be refused.
    repeated(world, [20, 80], () => written(world, "count", `c${config.node}`)),
  ]
}

/** Reads all keys for the last time. */
export const final = ({ combo, config, log }: World): Effect.Effect<void, never, Stack> =>
  Effect.forEach(
    keys.allKeys(combo),
    (key) =>
      Effect.map(Effect.exit(readIn(key)), (exit) =>
        log({
          t: "final",
          process: config.process,
          key: keys.logged(combo, key),
          id: Exit.isSuccess(exit) ? exit.value.value.at(-1) : undefined,
          why: Exit.isSuccess(exit) ? undefined : Cause.pretty(exit.cause).slice(0, 300),
        }),
      ),
    { concurrency: 8, discard: true },
  )

/** Writes everything that waits, and says what has become a dead letter. */
export const flush = ({ log }: World): Effect.Effect<void, unknown, Stack> =>
  Effect.gen(function* () {
    for (const writer of [yield* Puts, yield* Counts]) {
      const { dead } = yield* writer.flush
      if (dead > 0) log({ t: "dead", key: "", why: `${dead} dead letters` })
    }
  })
