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
import type { LarderEvent } from "../../LarderEvent.ts"
import type { Soon } from "../runtime/nextTurn.ts"
import type { AnswerAges } from "./answerAges.ts"
import { Circuits } from "./circuits.ts"
import { type Counters, noCounts } from "./counters.ts"
import { Measures } from "./measures.ts"
import { bufferedEvents } from "../runtime/limits.ts"

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
  readonly counters: Counters
  readonly measures: Measures
  /** The ages of `measures`, one step nearer to the hot path. */
  readonly ages: AnswerAges
  readonly circuits: Circuits
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

  /**
   * `sources`: the names of the tiers, nearest first. `youngerThan`: the age that the larder's objective
   * asks for, ms.
   */
  constructor(
    larder: string,
    clock: Clock.Clock,
    soon: Soon,
    { decision, event }: Instrument = {},
    sources: ReadonlyArray<string> = [],
    youngerThan?: number,
  ) {
    this.counters = noCounts(sources)
    this.measures = new Measures(larder, youngerThan)
    this.ages = this.measures.ages
    this.circuits = new Circuits(clock)
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
      if (this.#opened !== undefined) this.#offer(hub, this.#opened)
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
      this.#offer(hub, event)
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

  /** Buffers an event for a subscriber, or counts it as lost where the buffer is full. */
  #offer(hub: Hub, event: LarderEvent): void {
    const { pubsub } = hub.pubsub
    if (hub.lost > 0) {
      const { at, larder } = event
      if (pubsub.publish({ _tag: "Dropped", larder, at, count: hub.lost })) hub.lost = 0
    }
    if (hub.lost === 0 && pubsub.publish(event)) return
    hub.lost += 1
    this.counters.eventsDropped += 1
  }
}
