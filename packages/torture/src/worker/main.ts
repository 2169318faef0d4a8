/** A worker process: the coordinator forks it, with its configuration as argument. */
import { flushCompileCache } from "node:module"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { every, now } from "../clock.ts"
import { type Log, open as openLog } from "../history/log.ts"
import { watchStalls } from "../history/stalls.ts"
import * as Choices from "@larder/traces/choices"
import type { Command, Config, Reply } from "./Config.ts"
import { node } from "./node.ts"
import { observer } from "./observe.ts"
import { noTold, toldIn } from "./hearing.ts"
import { clockAhead, stackOf } from "./stack.ts"

const watchErrors = (name: string, log: Log): void => {
  const tell = (error: unknown) =>
    log.write({
      t: "unhandled",
      node: name,
      at: now(),
      error: String(error instanceof Error ? error.stack : error),
    })
  process.on("unhandledRejection", tell)
  process.on("uncaughtException", tell)
}

const reply = (message: Reply): void => {
  if (process.connected) process.send?.(message)
}

const config = JSON.parse(process.argv[2] ?? "") as Config
const log = openLog(config.log)
watchStalls(config.node, log)
watchErrors(config.node, log)
// The coordinator has ended.
process.on("disconnect", () => process.exit())

const program = Effect.gen(function* () {
  const scope = yield* Scope.make()
  const silent = Logger.layer([])
  const sessions = new Map<string, string>()
  const told = config.role === "node" ? toldIn(log, sessions) : noTold
  const tiers = yield* Layer.buildWithScope(Layer.provide(stackOf(config, told), silent), scope)
  const random = Choices.make(Choices.derived(config.seed, config.node, "lookups"))
  const world = { config, log, random, sessions, source: { fails: false }, tiers }
  const role = config.role === "node" ? node(world, reply) : observer(world, reply)
  const { obey, operations } = yield* Scope.provide(role, scope)
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  process.on("message", (command: Command) => void fork(obey(command)))
  every(500, () => reply({ _tag: "Count", operations: operations() }))
  reply({ _tag: "Ready" })
  // Write the compile cache now: a killed process writes none.
  flushCompileCache()
  return yield* Effect.never
}).pipe(
  Effect.provideService(Clock.Clock, clockAhead(config.clockAhead)),
  Effect.provide(Logger.layer([])),
)

Effect.runFork(program)
