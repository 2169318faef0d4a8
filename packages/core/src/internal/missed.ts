/** What the arbiter has not heard of yet. */

export interface MissedMark {
  readonly tags: ReadonlyArray<string | undefined>
  readonly keepStale: boolean
}

export class Missed {
  readonly keys = new Set<string>()
  readonly marks: Array<MissedMark> = []
  /** One recovery at a time. */
  running = false
  scheduled = false

  get isEmpty(): boolean {
    return this.keys.size === 0 && this.marks.length === 0
  }
}
