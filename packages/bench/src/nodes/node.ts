/** The process of one node: the coordinator forks it, with its configuration as argument. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { openNode, redisTier } from "./shared.ts"
import type { Command, Config, Reply } from "./protocol.ts"

const config = JSON.parse(process.argv[2] ?? "") as Config

const tell = (reply: Reply): void => void process.send?.(reply)

const program = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const now = (): number => Number(clock.monotonicTimeNanosUnsafe() / 1_000n) / 1_000
  let lookups = 0
  /** What the source has for the keys on which nodes must agree. */
  const source = new Map<string, string>()
  const larder = yield* openNode({
    name: "agreement",
    shared: redisTier(config.url, { prefix: config.prefix }),
    lookup: (key) =>
      Effect.suspend(() => {
        lookups += 1
        const value = source.get(key) ?? `${process.pid} looked up ${key}`
        return Effect.as(Effect.sleep(config.lookupMillis), value)
      }),
  })
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  let watching: Fiber.Fiber<unknown, unknown> | undefined

  const watch = (key: string) =>
    Effect.gen(function* () {
      let last = yield* larder.get(key)
      tell({ _tag: "Read" })
      for (;;) {
        const value = yield* larder.get(key)
        if (value !== last) tell({ _tag: "Saw", value, at: now() })
        last = value
        yield* Effect.sleep(1)
      }
    })

  const storm = (key: string, callers: number) =>
    Effect.gen(function* () {
      const before = lookups
      const asked = Array.from({ length: callers }, () => larder.get(key))
      const answers = yield* Effect.all(asked, { concurrency: "unbounded" })
      tell({ _tag: "Stormed", lookups: lookups - before, answers: [...new Set(answers)] })
    })

  const agree = (keys: ReadonlyArray<string>, value: string) =>
    Effect.gen(function* () {
      for (const key of keys) source.set(key, value)
      for (const key of keys) {
        for (;;) {
          const { freshness, value: given } = yield* larder.getWithMeta(key)
          if (freshness._tag === "Fresh" && given === value) break
          yield* Effect.sleep(1)
        }
      }
      tell({ _tag: "Agreed", at: now() })
    })

  const obey = (command: Command) => {
    switch (command._tag) {
      case "Watch":
        return Effect.sync(() => {
          watching = fork(watch(command.key))
        })
      case "Stop":
        return Effect.sync(() => watching?.interruptUnsafe())
      case "Set":
        return Effect.map(larder.set(command.key, command.value), ({ settled }) =>
          tell({ _tag: "Set", settled, at: now() }),
        )
      case "Storm":
        return storm(command.key, command.callers)
      case "Agree":
        return agree(command.keys, command.value)
    }
  }
  process.on("message", (command: Command) => void fork(Effect.orDie(obey(command))))
  tell({ _tag: "Ready" })
  return yield* Effect.never
})

process.on("disconnect", () => process.exit())
Effect.runFork(Effect.scoped(program))
