/** What a tier behind memory is opened with, and what its parts share. */
import type * as Context from "effect/Context"
import type * as Envelope from "../../Envelope.ts"
import type { Marks } from "../invalidation/marks.ts"
import type { Observer } from "../observe/eventHub.ts"
import type { SteadyClock } from "../runtime/steadyClock.ts"
import type { Turns } from "../runtime/turns.ts"
import type { TierParts } from "./parts.ts"
import type { TierTime } from "./tierClock.ts"
import type { TierWarnings } from "./tierWarnings.ts"

export interface Options {
  readonly larder: string
  /** Of the values; needs what is in `context`. */
  readonly codec: Envelope.Codec<unknown>
  readonly context: Context.Context<never>
  readonly schemaVersion: number
  readonly tierTimeout: number
  /** How long memory takes for fresh what was confirmed, ms. */
  readonly maxFreshFor?: number | undefined
  /** The node's time. */
  readonly clock: SteadyClock
  readonly observer: Observer
  readonly marks: Marks
  /** For work on many keys. */
  readonly turns: Turns
}

/** What the parts of a tier share. */
export interface Surroundings {
  readonly role: Role
  readonly parts: TierParts
  readonly time: TierTime
  readonly warnings: TierWarnings
}

/** `arbiter`: orders the writes. `inFront`: nearer than the tier that does. `alone`: nobody does. */
export type Role = "arbiter" | "inFront" | "alone"
