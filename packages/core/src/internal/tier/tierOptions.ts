/** Options for opening a tier behind memory, and the objects that its parts share. */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Arbiter, Limits, TierError } from "../../Tier.ts"
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
  /** The codec of the values; runs in `context`. */
  readonly codec: Envelope.Codec<unknown>
  readonly context: Context.Context<never>
  readonly schemaVersion: number
  readonly tierTimeout: number
  /** How long memory keeps a confirmed entry fresh at most, ms. */
  readonly maxFreshFor?: number | undefined
  /** The node's clock. */
  readonly clock: SteadyClock
  readonly observer: Observer
  readonly marks: Marks
  /** Splits work on many keys into turns of the event loop. */
  readonly turns: Turns
  /** A backplane tells of changes by nodes that do not share the tiers of this node. */
  readonly hasBackplane?: boolean | undefined
}

export type Ask = <A>(
  operation: (arbiter: Arbiter) => Effect.Effect<A, TierError>,
) => Effect.Effect<A, TierError>

/** Shared by the parts of a tier. */
export interface Surroundings {
  readonly role: Role
  /** Undefined in a tier that does not arbitrate. */
  readonly arbiter: Arbiter | undefined
  /** Calls an operation of the arbiter; a defect in a tier that does not arbitrate. */
  readonly ask: Ask
  readonly limits: Limits
  readonly parts: TierParts
  readonly time: TierTime
  readonly warnings: TierWarnings
}

/** `arbiter`: the tier orders writes. `inFront`: it is nearer than the arbiter. `alone`: there is no arbiter. */
export type Role = "arbiter" | "inFront" | "alone"
