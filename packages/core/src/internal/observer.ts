/**
 * What a larder counts and tells. Counting is a plain field; an event is made
 * only when somebody listens, and each listener has a bounded buffer of its own,
 * so that a slow one costs nobody else anything.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { LarderEvent } from "../LarderEvent.ts"

/** Events a subscriber may lag behind before it loses some. */
const bufferSize = 4_096

export interface Counters {
  hits: number
  misses: number
  staleServed: number
  failures: number
  lookups: number
  lookupsSucceeded: number
  lookupsFailed: number
  lookupsTimedOut: number
  coalesced: number
  earlyRefreshes: number
  superseded: number
  evictions: number
  undecodable: number
  tierFailures: number
}

export const noCounts = (): Counters => ({
  hits: 0,
  misses: 0,
  staleServed: 0,
  failures: 0,
  lookups: 0,
  lookupsSucceeded: 0,
  lookupsFailed: 0,
  lookupsTimedOut: 0,
  coalesced: 0,
  earlyRefreshes: 0,
  superseded: 0,
  evictions: 0,
  undecodable: 0,
  tierFailures: 0,
})

interface Hub {
  readonly pubsub: PubSub.PubSub<LarderEvent>
  lost: number
}

/** An event without what every event has. */
export type Told = LarderEvent extends infer E
  ? E extends LarderEvent
    ? Omit<E, "larder" | "at">
    : never
  : never

export class Observer {
  readonly larder: string
  readonly clock: Clock.Clock
  readonly counters: Counters = noCounts()
  /** Read on the hot path: no listener, no event. */
  listeners = 0
  #hubs: ReadonlyArray<Hub> = []
  #closed = false

  constructor(larder: string, clock: Clock.Clock) {
    this.larder = larder
    this.clock = clock
  }

  /** The same for a plain hit, which is told of more often than all else. */
  tellHit(key: string, tier: string, at: number): void {
    const event: LarderEvent = { _tag: "Hit", larder: this.larder, at, key, tier }
    for (const hub of this.#hubs) this.#publish(hub, event)
  }

  tell(told: Told): void {
    if (this.listeners === 0) return
    const at = this.clock.currentTimeMillisUnsafe()
    const event = { larder: this.larder, at, ...told } as LarderEvent
    for (const hub of this.#hubs) this.#publish(hub, event)
  }

  readonly subscribe: Effect.Effect<PubSub.Subscription<LarderEvent>, never, Scope.Scope> =
    Effect.gen({ self: this }, function* () {
      const pubsub = yield* PubSub.dropping<LarderEvent>(bufferSize)
      const subscription = yield* PubSub.subscribe(pubsub)
      if (this.#closed) {
        yield* PubSub.shutdown(pubsub)
        return subscription
      }
      const hub: Hub = { pubsub, lost: 0 }
      yield* Effect.acquireRelease(
        Effect.sync(() => this.#setHubs([...this.#hubs, hub])),
        () => Effect.sync(() => this.#setHubs(this.#hubs.filter((other) => other !== hub))),
      )
      return subscription
    })

  /** Ends with the larder. */
  readonly events: Stream.Stream<LarderEvent> = Stream.unwrap(
    Effect.map(this.subscribe, Stream.fromSubscription),
  )

  /** Ends every subscription. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    const hubs = this.#hubs
    this.#closed = true
    this.#setHubs([])
    return Effect.forEach(hubs, (hub) => PubSub.shutdown(hub.pubsub), { discard: true })
  })

  #setHubs(hubs: ReadonlyArray<Hub>): void {
    this.#hubs = hubs
    this.listeners = hubs.length
  }

  #publish(hub: Hub, event: LarderEvent): void {
    if (hub.lost > 0) {
      const dropped = {
        _tag: "Dropped",
        larder: event.larder,
        at: event.at,
        count: hub.lost,
      } as const
      if (PubSub.publishUnsafe(hub.pubsub, dropped)) hub.lost = 0
    }
    if (hub.lost > 0 || !PubSub.publishUnsafe(hub.pubsub, event)) hub.lost += 1
  }
}
