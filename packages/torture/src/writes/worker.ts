/** A worker process of a run of writes: the coordinator forks it, with its configuration as argument. */
import { flushCompileCache } from "node:module"
import * as Choices from "@larder/traces/choices"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { now } from "../clock.ts"
import { open as openLog } from "../history/log.ts"
import { watchStalls } from "../history/stalls.ts"
import type { ComboName, Command, Config, Reply } from "./Config.ts"
import * as keys from "./keys.ts"
import type { WriteLine } from "./Line.ts"
import { final, flush, sessions, type World } from "./sessions.ts"
import { type Stack, stackOf } from "./stack.ts"

const config = JSON.parse(process.argv[2] ?? "") as Config
const file = openLog<WriteLine>(config.log)
watchStalls(config.node, file)
const tell = (error: unknown) =>
  file.write({
    t: "unhandled",
    node: config.node,
    at: now(),
    error: String(error instanceof Error ? error.stack : error),
  })
process.on("unhandledRejection", tell)
process.on("uncaughtException", tell)
// The coordinator has ended.
process.on("disconnect", () => process.exit())

const reply = (message: Reply): void => {
  if (process.connected) process.send?.(message)
}

let isStopped = false
let ids = 0

const worldOf = (combo: ComboName): World => ({
  config,
  combo,
  random: Choices.make(Choices.derived(config.seed, config.process, combo)),
  log: file.write,
  nextId: () => `${config.process}.${(ids += 1)}`,
  isStopped: () => isStopped,
})

/** A server may be away when the process begins. */
const built = (world: World) =>
  Effect.gen(function* () {
    const { combo } = world
    const scope = yield* Scope.make()
    const stack = stackOf(combo, config, ({ ids, key, version }) => {
      const last = key.startsWith("u") ? ids.slice(-1) : ids
      const { process } = config
      file.write({
        t: "tried",
        process,
        key: keys.logged(combo, key),
        ids: last,
        version,
        at: now(),
      })
    })
    return yield* Layer.buildWithScope(stack, scope)
  }).pipe(Effect.retry(Schedule.spaced(100)))

const program = Effect.gen(function* () {
  const worlds = config.combos.map(worldOf)
  const stacks = yield* Effect.forEach(worlds, built, { concurrency: "unbounded" })
  const everywhere = <E>(run: (world: World) => Effect.Effect<void, E, Stack>) =>
    Effect.forEach(worlds, (world, i) => Effect.provide(run(world), stacks[i]!), {
      concurrency: "unbounded",
      discard: true,
    })
  const traffic = yield* Effect.forkChild(
    everywhere((world) => Effect.all(sessions(world), { concurrency: "unbounded", discard: true })),
  )
  const obey: Readonly<Record<Command["_tag"], Effect.Effect<void>>> = {
    Stop: Effect.suspend(() => {
      isStopped = true
      return Effect.andThen(
        Fiber.await(traffic),
        Effect.sync(() => reply({ _tag: "Stopped" })),
      )
    }),
    Flush: Effect.andThen(
      Effect.retry(everywhere(flush), Schedule.spaced(200)),
      Effect.sync(() => reply({ _tag: "Flushed" })),
    ).pipe(Effect.ignore),
    Final: Effect.andThen(
      everywhere(final),
      Effect.sync(() => reply({ _tag: "Done" })),
    ),
  }
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  process.on("message", ({ _tag }: Command) => void fork(obey[_tag]))
  reply({ _tag: "Ready" })
  // Write the compile cache now: a killed process writes none.
  flushCompileCache()
  return yield* Effect.never
})

Effect.runFork(Effect.provide(program, Logger.layer([])))
