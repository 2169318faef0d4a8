/** The durations and other distributions of one larder, as plain histograms. */
import type { TierOperation } from "./labels.ts"
import { AnswerAges } from "./answerAges.ts"
import { Histogram, callers, durations } from "./histogram.ts"

export class Measures {
  /** Seconds from a call to its answer, of calls that waited, by source. */
  readonly waits: Record<string, Histogram> = {}
  readonly ages: AnswerAges
  /** Calls that waited for a lookup when it ended. */
  readonly lookupCallers = new Histogram(callers)
  /** Seconds of the lookups that reached upstream. */
  readonly lookups = new Histogram(durations)
  /** Seconds of the waits for another node's lookup. */
  readonly leaseWaits = new Histogram(durations)
  /** Seconds of the steps in a tier that ended, by tier. */
  readonly steps: Record<string, Record<TierOperation, Histogram>> = {}
  /** Seconds from a removal or an invalidation to its message here, by the time of the arbiter. */
  readonly messageDelays = new Histogram(durations)

  /** `youngerThan`: the age that the larder's objective asks for, ms. */
  constructor(larder: string, youngerThan: number | undefined) {
    this.ages = new AnswerAges(larder, youngerThan)
  }

  waitsFor(source: string): Histogram {
    return (this.waits[source] ??= new Histogram(durations))
  }

  stepsIn(tier: string): Record<TierOperation, Histogram> {
    return (this.steps[tier] ??= {
      read: new Histogram(durations),
      write: new Histogram(durations),
      lease: new Histogram(durations),
      mark: new Histogram(durations),
    })
  }
}
