/** What a write-behind is made of, after its options were checked. */
import type { NonEmptyReadonlyArray } from "effect/Array"
import type * as Clock from "effect/Clock"
import type * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type { Larder } from "../../Larder.ts"
import type { ClaimedWrite, Outbox } from "../../Outbox.ts"
import type { Lines } from "./lines.ts"
import type { LarderParts } from "../observe/larderParts.ts"

export interface Settings<K, A, E> {
  readonly name: string
  readonly clock: Clock.Clock
  readonly larder: Larder<K, A, unknown>
  /** Undefined for a larder that was not made by this package. */
  readonly parts: LarderParts | undefined
  readonly outbox: Outbox<K, A>
  readonly writeMany: (
    batch: NonEmptyReadonlyArray<ClaimedWrite<K, A>>,
  ) => Effect.Effect<ReadonlyMap<K, E> | void, E>
  readonly lines: Lines
  /** ms. */
  readonly maxLag: number
  readonly batch: number
  readonly retry: Schedule.Schedule<unknown, E>
  readonly maxAttempts: number
  readonly whenFull: "wait" | "fail"
  /** ms. */
  readonly timeout: number
  /** ms. */
  readonly lock: number
  /** ms. */
  readonly closeTimeout: number
}
