/** What could have to walk over every entry of a larder. */
import type { Larder } from "@larder/core"
import * as Effect from "effect/Effect"
import { turn } from "../clock.ts"
import type { Product } from "../source.ts"

/** A larder that is full, and time that stands still but for what moves it. */
export interface Full {
  readonly larder: Larder.Larder<string, Product, unknown>
  readonly entries: number
  readonly tag: string
  readonly product: Product
  /** Moves the time past the lives of all entries. */
  readonly expireAll: () => void
}

export interface Operation {
  readonly title: string
  readonly run: (full: Full) => Effect.Effect<unknown, unknown>
}

/** How far a larder may grow beyond what it is full of. */
export const room = 1.2

export const keyOf = (number: number): string => `product/${number}`

/** To its bound, one write in a turn. */
const grow = ({ entries, larder, product }: Full) =>
  Effect.gen(function* () {
    for (let number = entries; number < entries * room; number++) {
      yield* larder.set(keyOf(number), product)
      yield* Effect.promise(turn)
    }
  })

export const operations: ReadonlyArray<Operation> = [
  { title: "nothing", run: () => Effect.void },
  { title: "grown by a fifth", run: grow },
  { title: "tag invalidated", run: ({ larder, tag }) => larder.invalidateTags([tag]) },
  {
    title: "tag dropped",
    run: ({ larder, tag }) => larder.invalidateTags([tag], { keepStale: false }),
  },
  { title: "cleared", run: ({ larder }) => larder.clear() },
  { title: "cleared, nothing kept", run: ({ larder }) => larder.clear({ keepStale: false }) },
  {
    title: "resized to a tenth",
    run: ({ entries, larder }) => larder.resizeMemory({ maxEntries: entries / 10 }),
  },
  { title: "all expired", run: ({ expireAll }) => Effect.sync(expireAll) },
]
