/** The observer: fresh larders read what the nodes have left in Redis. */
import * as Effect from "effect/Effect"
import * as keys from "../keys.ts"
import type { Command, LarderName, Reply } from "./Config.ts"
import { noReactions, open, type World } from "./sessions.ts"

const pauseMillis = 120
const watched = [...keys.hot, ...keys.setOnly, ...keys.quiet, ...keys.prefixed]

const look = (world: World, name: LarderName, of: ReadonlyArray<string>, final: boolean) =>
  Effect.gen(function* () {
    const { close, session } = yield* open(world, name, noReactions)
    const failed = Effect.map(session.larder.stats, ({ tierFailures }) => tierFailures > 0)
    yield* Effect.forEach(of, (key) => session.read(key, final, failed), {
      concurrency: 8,
      discard: true,
    })
    if (final) {
      yield* Effect.forEach(keys.hot, (key) => session.getWithMeta(key, {}, true), {
        discard: true,
      })
    }
    yield* close
    return session.operations
  })

export const observer = (world: World, reply: (reply: Reply) => void) =>
  Effect.gen(function* () {
    let operations = 0
    let watches = true
    const lookAtAll = (of: ReadonlyArray<string>, final: boolean) =>
      Effect.forEach(
        world.config.larders,
        (name) => Effect.map(look(world, name, of, final), (count) => (operations += count)),
        { discard: true },
      )
    const watching = Effect.suspend(() => (watches ? lookAtAll(watched, false) : Effect.void))
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(watching, Effect.sleep(pauseMillis))))
    const obey = (command: Command): Effect.Effect<void> => {
      switch (command._tag) {
        case "Final":
          watches = false
          return Effect.map(lookAtAll(command.keys, true), () => reply({ _tag: "Done" }))
        case "AwaitQuiet":
          return Effect.sync(() => reply({ _tag: "Quiet" }))
        default:
          return Effect.void
      }
    }
    return { obey, operations: () => operations }
  })
