/** Calls that write the source, which gives each value once, and updates. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Choices } from "@larder/traces/choices"
import type { Session } from "./Session.ts"
import type { Value } from "./Value.ts"
import { isExpected, WriteFailed, type Written } from "./writing.ts"

export type WriteEnding = "done" | "failsBefore" | "failsAfter" | "dies"

const saved = <A>(
  ending: WriteEnding,
  random: Choices,
  write: () => A,
): Effect.Effect<A, WriteFailed> =>
  Effect.gen(function* () {
    yield* Effect.sleep(random.between(0, 25))
    if (ending === "failsBefore") return yield* Effect.fail(new WriteFailed())
    const made = write()
    yield* Effect.sleep(random.between(0, 25))
    if (ending === "failsAfter") return yield* Effect.fail(new WriteFailed())
    return ending === "dies" ? yield* Effect.die(new WriteFailed()) : made
  })

const outcomeOf: Written["outcomeOf"] = (exit) => {
  if (Exit.isSuccess(exit)) return "done"
  return isExpected(exit.cause) ? "failed" : undefined
}

const valueOf = (session: Session, key: string): Value => ({
  key,
  id: session.nameValue(),
  padding: "",
})

export const around = (session: Session, key: string, ending: WriteEnding, random: Choices) =>
  session.wrote("around", key, (wrote) => ({
    effect: saved(ending, random, () => wrote()).pipe(
      session.larder.around(key, { before: random.chance(0.3) ? "expire" : "nothing" }),
    ),
    outcomeOf,
  }))

export const through = (session: Session, key: string, ending: WriteEnding, random: Choices) =>
  session.wrote("through", key, (wrote) => ({
    effect: saved(ending, random, () => {
      const value = valueOf(session, key)
      wrote({ value: value.id })
      return value
    }).pipe(session.larder.through(key)),
    outcomeOf,
  }))

const updating = (
  session: Session,
  key: string,
  made: (make: () => Option.Option<Value>) => Effect.Effect<Option.Option<Value>, WriteFailed>,
) =>
  session.wrote("update", key, (wrote) => {
    let hasRun = false
    const effect = session.larder.update(key, (current) => {
      hasRun = true
      return made(() => {
        const value = valueOf(session, key)
        wrote({ value: value.id, seen: Option.getOrUndefined(current)?.id })
        return Option.some(value)
      })
    })
    // A function that has not run has changed nothing.
    return { effect, outcomeOf: (exit) => (hasRun ? outcomeOf(exit) : idle(exit)) }
  })

const idle: Written["outcomeOf"] = (exit) => (outcomeOf(exit) === undefined ? undefined : "idle")

export const update = (session: Session, key: string, ending: WriteEnding, random: Choices) =>
  updating(session, key, (make) => saved(ending, random, make))

/** Adds a value to the chain of a key that only updates touch. */
export const count = (session: Session, key: string) =>
  updating(session, key, (make) => Effect.sync(make))
