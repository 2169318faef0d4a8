/**
 * The counters and events of a larder. A counter is a plain field. An event is made only for
 * subscribers, each with a bounded buffer of its own, so that a slow one does not affect the others.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Instrument } from "../../Instrument.ts"
import type { LarderEvent, LookupRefused } from "../../LarderEvent.ts"
import type { Soon } from "../runtime/nextTurn.ts"
import { Histogram, durations } from "./histogram.ts"
import { bufferedEvents } from "../runtime/limits.ts"

export interface Counters {
  /** Calls that returned a fresh value. */
  hits: number
  /** Calls that had to wait for a lookup or a farther tier. */
  misses: number
  /** Calls that returned a stale value. */
  staleServed: number
  /** Calls that returned a remembered failure (`failureFor`). */
  failures: number
  /** Keys whose lookup reached upstream. */
  lookups: number
  lookupsSucceeded: number
  lookupsFailed: number
  lookupsTimedOut: number
  /** Keys whose lookup did not reach upstream, by reason. */
  readonly lookupsRefused: Record<LookupRefused["reason"], number>
  /** Misses that joined a running lookup. */
  coalesced: number
  /** Refreshes of values that were still fresh. */
  earlyRefreshes: number
  /** Looked-up values that were not stored, because a newer change came in between. */
  superseded: number
  /** Entries that left a tier without a caller asking for it. */
  evictions: number
  /** Entries that could not be read as such, and counted as misses. */
  undecodable: number
  /** Times that this node found it may have missed messages of other nodes. */
  gaps: number
  /** Messages about changes of this node that the arbiter or a backplane has published. */
  messagesSent: number
  /** Messages of other nodes that outdated something here, or returned a lease that this node waits for. */
  messagesReceived: number
  /** Messages for keys that this node does not hold, or that tell nothing new, such as its own. */
  messagesIgnored: number
  /** Steps in a tier that failed, timed out, or met an open breaker. */
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
  lookupsRefused: { breakerOpen: 0, shed: 0 },
  coalesced: 0,
  earlyRefreshes: 0,
  superseded: 0,
  evictions: 0,
  undecodable: 0,
  gaps: 0,
  messagesSent: 0,
  messagesReceived: 0,
  messagesIgnored: 0,
  tierFailures: 0,
})

interface Hub {
  readonly pubsub: PubSub.PubSub<LarderEvent>
  lost: number
}

/** An event without the fields that every event has. */
export type Told = LarderEvent extends infer E
  ? E extends LarderEvent
    ? Omit<E, "larder" | "at">
    : never
  : never

export class Observer {
  readonly larder: string
  /** The clock of the events' time of day, which may step back. */
  readonly clock: Clock.Clock
  readonly counters: Counters = noCounts()
  /** Seconds from a removal or an invalidation to its message here, by the time of the arbiter. */
  readonly messageDelays = new Histogram(durations)
  /** The number of subscribers and instruments. Read on the hot path: without any, no event is made. */
  listeners: number
  /** The instrument's function for decisions. */
  readonly decided: Instrument["decision"]
  readonly #instrument: Instrument["event"]
  #hubs: ReadonlyArray<Hub> = []
  #closed = false
  readonly #soon: Soon
  #wakes = false
  /** The first event of each subscription. */
  #opened: LarderEvent | undefined

  constructor(
    larder: string,
    clock: Clock.Clock,
    soon: Soon,
    { decision, event }: Instrument = {},
  ) {
    this.larder = larder
    this.clock = clock
    this.#soon = soon
    this.decided = decision
    this.#instrument = event
    this.listeners = this.#countListeners()
  }

  #countListeners(): number {
    return this.#hubs.length + (this.#instrument === undefined ? 0 : 1)
  }

  /** As `tell`, for a plain hit, the most frequent event. */
  tellHit(key: string, tier: string): void {
    const at = this.clock.currentTimeMillisUnsafe()
    this.#publish({ _tag: "Hit", larder: this.larder, at, key, tier })
  }

  tell(told: Told): void {
    if (this.listeners !== 0) this.#publish(this.#eventOf(told))
  }

  /**
   * Sets the first event of each subscription. Nobody can subscribe before the larder is made, so an
   * event that was told once would reach no subscriber.
   */
  opened(told: Told): void {
    const event = this.#eventOf(told)
    this.#opened = event
    this.#instrument?.(event)
  }

  #eventOf(told: Told): LarderEvent {
    const at = this.clock.currentTimeMillisUnsafe()
    return { larder: this.larder, at, ...told } as LarderEvent
  }

  readonly subscribe: Effect.Effect<PubSub.Subscription<LarderEvent>, never, Scope.Scope> =
    Effect.gen({ self: this }, function* () {
      const pubsub = yield* PubSub.dropping<LarderEvent>(bufferedEvents)
      const subscription = yield* PubSub.subscribe(pubsub)
      if (this.#closed) {
        yield* PubSub.shutdown(pubsub)
        return subscription
      }
      const hub: Hub = { pubsub, lost: 0 }
      if (this.#opened !== undefined) offer(hub, this.#opened)
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
    this.#closed = true
    // Delivers the last events. Race: a subscriber that subscribes again on them finds the larder closed.
    this.#wake()
    const hubs = this.#hubs
    this.#setHubs([])
    return Effect.forEach(hubs, (hub) => PubSub.shutdown(hub.pubsub), { discard: true })
  })

  #setHubs(hubs: ReadonlyArray<Hub>): void {
    this.#hubs = hubs
    this.listeners = this.#countListeners()
  }

  #publish(event: LarderEvent): void {
    this.#instrument?.(event)
    for (const hub of this.#hubs) {
      offer(hub, event)
      // Wake waiting subscribers once for many events: waking costs more than a hit.
      if (!this.#wakes && hub.pubsub.subscribers.size > 0) {
        this.#wakes = true
        this.#soon(this.#wake)
      }
    }
  }

  readonly #wake = (): void => {
    this.#wakes = false
    for (const { pubsub } of this.#hubs) {
      pubsub.strategy.completeSubscribersUnsafe(pubsub.pubsub, pubsub.subscribers)
    }
  }
}

/** Buffers an event for a subscriber, or counts it as lost where the buffer is full. */
const offer = (hub: Hub, event: LarderEvent): void => {
  const { pubsub } = hub.pubsub
  if (hub.lost > 0) {
    const { at, larder } = event
    if (pubsub.publish({ _tag: "Dropped", larder, at, count: hub.lost })) hub.lost = 0
  }
  if (hub.lost > 0 || !pubsub.publish(event)) hub.lost += 1
}
