/** Ways to change the source beside a cache. */
import type { Larder } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

export type Products = Larder.Larder<string, number>

export interface Strategy {
  readonly name: string
  /** Has the source get the value. `save` returns the value as the source has it then. */
  readonly write: (
    larder: Products,
    key: string,
    save: Effect.Effect<number>,
  ) => Effect.Effect<unknown>
}

const orDie = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A> => Effect.orDie(effect)

export const strategies: ReadonlyArray<Strategy> = [
  {
    name: "save, then `set`",
    write: (larder, key, save) => Effect.flatMap(save, (value) => orDie(larder.set(key, value))),
  },
  {
    name: "save, then `remove`",
    write: (larder, key, save) => Effect.andThen(save, orDie(larder.remove(key))),
  },
  { name: "`around`", write: (larder, key, save) => orDie(save.pipe(larder.around(key))) },
  {
    name: "`around`, expired before",
    write: (larder, key, save) => orDie(save.pipe(larder.around(key, { before: "expire" }))),
  },
  { name: "`through`", write: (larder, key, save) => orDie(save.pipe(larder.through(key))) },
  {
    name: "`update`",
    write: (larder, key, save) => orDie(larder.update(key, () => Effect.map(save, Option.some))),
  },
]
