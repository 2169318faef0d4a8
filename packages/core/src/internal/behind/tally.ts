/** The counts of one flusher, its metrics, and the event for writes that wait too long. */
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Depth } from "../../OutboxStore.ts"
import * as labels from "../observe/labels.ts"
import type { Observer } from "../observe/eventHub.ts"
import { type Series, registered } from "../observe/registry.ts"

export class Tally {
  readonly flushed: Record<labels.FlushOutcome, number> = { written: 0, failed: 0, dead: 0 }
  readonly #clock: Clock.Clock
  readonly #maxLag: number
  readonly #observer: Observer | undefined
  #depth: Depth = { waiting: 0, inFlight: 0, dead: 0, oldestMillis: 0 }
  /** When the depth was seen, ms. */
  #seenAt = 0
  #isLagging = false

  constructor(clock: Clock.Clock, maxLag: number, observer: Observer | undefined) {
    this.#clock = clock
    this.#maxLag = maxLag
    this.#observer = observer
  }

  /** Takes note of the depth; tells once when the oldest write becomes older than `maxLag`. */
  saw(depth: Depth): void {
    this.#depth = depth
    this.#seenAt = this.#clock.currentTimeMillisUnsafe()
    const isLagging = depth.oldestMillis > this.#maxLag
    if (isLagging && !this.#isLagging) {
      const { inFlight, oldestMillis, waiting } = depth
      this.#observer?.tell({ _tag: "WriteLagging", oldestMillis, waiting, inFlight })
    }
    this.#isLagging = isLagging
  }

  /** When the next look at the depth is due, so that a lag is noticed: ms from now; undefined for never. */
  get lagInMillis(): number | undefined {
    const { inFlight, oldestMillis, waiting } = this.#depth
    if (this.#isLagging || waiting + inFlight === 0) return undefined
    const since = this.#seenAt - oldestMillis
    return Math.max(1, since + this.#maxLag + 1 - this.#clock.currentTimeMillisUnsafe())
  }

  register(
    larder: string,
    context: Context.Context<never>,
  ): Effect.Effect<void, never, Scope.Scope> {
    const states: Readonly<Record<labels.OutboxState, () => number>> = {
      waiting: () => this.#depth.waiting,
      inFlight: () => this.#depth.inFlight,
      dead: () => this.#depth.dead,
    }
    const flushed = fieldsOf(labels.flushOutcomes).map((outcome): Series => ({
      metric: "larder_outbox_flushed_total",
      labels: { outcome: labels.flushOutcomes[outcome] },
      count: () => this.flushed[outcome],
    }))
    // Flushers of one outbox all see the same depth, so that a sum would count writes twice.
    const together = "highest"
    const writes = fieldsOf(labels.outboxStates).map((state): Series => ({
      metric: "larder_outbox_writes",
      labels: { state: labels.outboxStates[state] },
      gauge: states[state],
      together,
    }))
    const oldest: Series = {
      metric: "larder_outbox_oldest_seconds",
      labels: {},
      gauge: () => this.#oldestSeconds(),
      together,
    }
    return Effect.asVoid(registered(larder, [...writes, oldest, ...flushed], context))
  }

  #oldestSeconds(): number {
    const { inFlight, oldestMillis, waiting } = this.#depth
    if (waiting + inFlight === 0) return 0
    const passed = this.#clock.currentTimeMillisUnsafe() - this.#seenAt
    return (oldestMillis + Math.max(0, passed)) / 1_000
  }
}

const fieldsOf = <Field extends string>(table: labels.LabelsOf<Field>): ReadonlyArray<Field> =>
  Object.keys(table) as Array<Field>
