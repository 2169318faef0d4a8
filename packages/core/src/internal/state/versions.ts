/** Versions, by which a node orders changes of keys, and the marks that a lookup covers. */
import { brought, nextNumber, usable } from "../../Arbitration.ts"
import type { ObjectStore } from "../../Tier.ts"
import type { Marks } from "../invalidation/marks.ts"
import type { SteadyClock } from "../runtime/steadyClock.ts"
import type { Stack } from "../tier/openStack.ts"
import type { HeldLeases } from "./heldLeases.ts"
import type { Missed } from "./missedChanges.ts"
import type { WriteQueue } from "./writeQueue.ts"

/** The places that know versions of a key. */
export interface Sources {
  readonly near: ObjectStore
  readonly writes: WriteQueue
  readonly leases: HeldLeases
  readonly missed: Missed
}

export class Versions {
  readonly #clock: SteadyClock
  readonly #marks: Marks
  readonly #sources: Sources
  /** Tiers may have entries from before this larder was made, and there is no arbiter to order them. */
  readonly outlives: boolean
  #last = 0
  #lastWrite = 0

  constructor(clock: SteadyClock, marks: Marks, sources: Sources, stack: Stack) {
    this.#clock = clock
    this.#marks = marks
    this.#sources = sources
    this.outlives = stack.arbiter === undefined && stack.farther.length > 0
  }

  /**
   * The next version of this node, which orders changes where there is no arbiter. With
   * {@link outlives}, it is above the versions of earlier processes.
   */
  next(known = 0): number {
    this.#last = this.outlives
      ? nextNumber(this.#clock.currentTimeMillisUnsafe(), this.#last, brought(known))
      : this.#last + 1
    return this.#last
  }

  /**
   * The version of a write of the source that no arbiter orders: there is none, or it does not answer. Then
   * `place` is the present place in its order, undefined where it has never told its time. Else this node's
   * time of day stands in: the source outlives this process, and must not refuse the writes of the next
   * one as older. Rises with each write of this node.
   */
  nextWrite(known: number, place?: number): number {
    const millis = place === undefined ? this.#clock.currentTimeMillisUnsafe() : 0
    this.#lastWrite = Math.max(nextNumber(millis, this.#lastWrite, brought(known)), place ?? 0)
    return this.#lastWrite
  }

  /** The highest version of the key that this node still knows. */
  known(k: string): number {
    const { leases, missed, near, writes } = this.#sources
    return Math.max(
      near.peek(k)?.entry.version ?? 0,
      writes.newest(k)?.entry.version ?? 0,
      leases.holder(k)?.lease?.token ?? 0,
      missed.key(k)?.atLeast ?? 0,
    )
  }

  /** The `asOf` of a lookup that begins now: it covers the marks up to this number. */
  asOf(): number {
    const { last } = this.#marks
    return this.outlives
      ? Math.max(last, usable(this.#clock.currentTimeMillisUnsafe() * 1000))
      : last
  }
}
