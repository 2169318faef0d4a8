/** What the arbiter has not heard of yet. */
import type { FartherTier } from "./fartherTier.ts"

export interface MissedMark {
  readonly tags: ReadonlyArray<string | undefined>
  readonly keepStale: boolean
}

export class Missed {
  /** Tiers in front of the arbiter that are to be asked once more. */
  readonly tiers = new Set<FartherTier>()
  readonly keys = new Set<string>()
  readonly marks: Array<MissedMark> = []
  /** Keys became a mark: until it is sent, any key may be one of them. */
  keysForgotten = false
  /** One recovery at a time. */
  running = false
  scheduled = false

  get isEmpty(): boolean {
    return this.keys.size === 0 && this.marks.length === 0
  }
}
