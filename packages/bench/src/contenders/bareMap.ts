/**
 * About the least that Effect itself costs: a `Map` in a fiber. It reads the clock and coalesces
 * lookups of one key, nothing more: no TTL, no bound, no counts.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Product } from "../source.ts"
import { effectful, lookup } from "./effectful.ts"

type Found = Exit.Exit<Product>
type Resume = (found: Found) => void

interface Kept {
  readonly since: number
  readonly exit: Found
}

export const contender = effectful(({ source }) =>
  Effect.map(Effect.context<never>(), (context) => {
    const look = lookup(source)
    const clock = Context.get(context, Clock.Clock)
    const kept = new Map<string, Kept>()
    const waiting = new Map<string, Array<Resume>>()

    const hit = (key: string, now: number): Found | undefined => {
      const found = kept.get(key)
      return found !== undefined && found.since <= now ? found.exit : undefined
    }

    const begin = (key: string, resume: Resume): void => {
      const callers = [resume]
      waiting.set(key, callers)
      Effect.runForkWith(context)(look(key)).addObserver((exit) => {
        waiting.delete(key)
        if (Exit.isSuccess(exit)) kept.set(key, { since: clock.currentTimeMillisUnsafe(), exit })
        for (const tell of callers) tell(exit)
      })
    }

    const wait = (key: string) =>
      Effect.callback<Product>((resume) => {
        const callers = waiting.get(key)
        if (callers === undefined) begin(key, resume)
        else callers.push(resume)
      })

    const get = (key: string): Effect.Effect<Product> =>
      Effect.withFiber(() => hit(key, clock.currentTimeMillisUnsafe()) ?? wait(key))

    const getMany = (keys: ReadonlyArray<string>) =>
      Effect.sync(() => {
        const now = clock.currentTimeMillisUnsafe()
        const found = new Map<string, Found>()
        for (const key of keys) {
          const exit = hit(key, now)
          if (exit !== undefined) found.set(key, exit)
        }
        return found.values()
      })

    return { get, getMany }
  }),
)
