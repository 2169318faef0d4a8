/** What the user's function returned, where a type error was not seen: an endless wait would follow. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { InvalidOptions } from "../../InvalidOptions.ts"
import { shown, shownType } from "../runtime/shownValue.ts"
import type { Engine } from "../state/engine.ts"

/** The returned effect. Anything else is a defect: Effect ends a fiber that runs it without its finalizers. */
export const effectOf = <A, E, R>(
  engine: Engine,
  call: string,
  got: Effect.Effect<A, E, R>,
): Effect.Effect<A, E, R> =>
  Effect.isEffect(got)
    ? got
    : mistake(engine, call, `get a function that returns an Effect; it returned ${typeOf(got)}`)

/** The option that the function of `update` made. */
export const optionOf = <A>(
  engine: Engine,
  got: Option.Option<A>,
): Effect.Effect<Option.Option<A>> =>
  Option.isOption(got)
    ? Effect.succeed(got)
    : mistake(
        engine,
        "update",
        `get a function whose Effect succeeds with an Option: Option.some(value), or Option.none() to leave things as they are; it succeeded with ${typeOf(got)}`,
      )

/** The schema does not encode the value: an arbiter cannot store it, however often it is asked. */
export const unwritable = (engine: Engine): Effect.Effect<never> =>
  mistake(engine, "value", "encode what `update` is to store; it does not, as the log says")

/** Without the value: values appear in no error. */
const mistake = (
  { settings: { name } }: Engine,
  field: string,
  must: string,
): Effect.Effect<never> =>
  Effect.die(
    new InvalidOptions({ module: "Larder", field, reason: `of ${shown(name)} must ${must}` }),
  )

const typeOf = (got: unknown): string =>
  got instanceof Promise ? "a Promise: wrap it in Effect.promise" : shownType(got)
