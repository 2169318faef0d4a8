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
import type { Hit, LarderEvent } from "../../LarderEvent.ts"
import type { Soon } from "../runtime/nextTurn.ts"
import type { AnswerAges } from "./answerAges.ts"
import { Circuits } from "./circuits.ts"
import { type Counters, noCounts } from "./counters.ts"
import { type ShowKey, showKeyBy } from "./keyDisplay.ts"
import { type HitFilter, type Hits, filterOf } from "./hits.ts"
import { Measures } from "./measures.ts"
import { bufferedEvents } from "../runtime/limits.ts"

interface Hub {
  readonly pubsub: PubSub.PubSub<LarderEvent>
  lost: number
  /** Ends the delivery. */
  stop: () => void
}

/** Who gets the events: a subscription, an instrument, or code of this package, each in the step that it tells of. */
interface Listener {
  readonly hear: (event: LarderEvent) => void
  readonly hits: HitFilter
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
  /** The number of listeners. Without any, no event is made. */
  listeners = 0
  /** The number of listeners that get hits, audits included. Read on the hot path, which is all that hits cost without any. */
  hitListeners = 0
  /** Called for each answer of the closed larder, which the metrics do not read any more. */
  onClosedAnswer: () => void = () => {}
  /** A key as it leaves the process. */
  readonly showKey: ShowKey
  /** The instrument's function for decisions. */
  readonly decided: Instrument["decision"]
  /** Whether the simulated process of the larder was killed. */
  readonly isKilled: () => boolean
  #all: ReadonlyArray<Listener> = []
  #onHit: ((key: string) => void) | undefined
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
    { decision, event, hits = "all", isKilled = () => false }: Instrument = {},
    sources: ReadonlyArray<string> = [],
    youngerThan: number | undefined = undefined,
    showKey: ShowKey = showKeyBy("hashed"),
  ) {
    this.showKey = showKey
    this.counters = noCounts(sources)
    this.measures = new Measures(larder, youngerThan)
    this.ages = this.measures.ages
    this.circuits = new Circuits(clock)
    this.larder = larder
    this.clock = clock
    this.#soon = soon
    this.decided = decision
    this.isKilled = isKilled
    if (event !== undefined) this.listen(event, hits)
  }

  /** Calls `hear` with each event, in the step that it tells of; it must not throw. Returns a function that ends it. */
  listen(hear: (event: LarderEvent) => void, hits: Hits): () => void {
    const listener: Listener = { hear, hits: filterOf(this.larder, hits) }
    this.#setListeners([...this.#all, listener])
    return () => this.#setListeners(this.#all.filter((other) => other !== listener))
  }

  /** Calls `onHit` for each hit, without an event: for audits. */
  watchHits(onHit: (key: string) => void): void {
    this.#onHit = onHit
    this.#setListeners(this.#all)
  }

  #setListeners(all: ReadonlyArray<Listener>): void {
    this.#all = all
    this.listeners = all.length
    const withHits = all.filter(({ hits }) => hits !== "none").length
    this.hitListeners = withHits + (this.#onHit === undefined ? 0 : 1)
  }

  /** As `tell`, for a plain hit, the most frequent event. Call only with `hitListeners`. */
  tellHit(key: string, tier: string): void {
    this.#onHit?.(key)
    let event: Hit | undefined
    for (const { hear, hits } of this.#all) {
      if (hits === "none") continue
      const count = hits === "all" ? 1 : hits.take()
      if (count === 0) continue
      event ??= this.#hitOf(key, tier)
      hear(hits === "all" ? event : { ...event, count })
    }
  }

  #hitOf(key: string, tier: string): Hit {
    const at = this.clock.currentTimeMillisUnsafe()
    return { _tag: "Hit", larder: this.larder, at, key, tier }
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
    this.#publish(event)
  }

  #eventOf(told: Told): LarderEvent {
    const at = this.clock.currentTimeMillisUnsafe()
    return { larder: this.larder, at, ...told } as LarderEvent
  }

  /** Subscribes to the events until the scope closes. */
  readonly subscribeTo = (
    hits: Hits,
  ): Effect.Effect<PubSub.Subscription<LarderEvent>, never, Scope.Scope> =>
    Effect.gen({ self: this }, function* () {
      const pubsub = yield* PubSub.dropping<LarderEvent>(bufferedEvents)
      const subscription = yield* PubSub.subscribe(pubsub)
      if (this.#closed) {
        yield* PubSub.shutdown(pubsub)
        return subscription
      }
      const hub: Hub = { pubsub, lost: 0, stop: () => {} }
      if (this.#opened !== undefined) this.#offer(hub, this.#opened)
      yield* Effect.acquireRelease(
        Effect.sync(() => this.#attach(hub, hits)),
        () => Effect.sync(() => hub.stop()),
      )
      return subscription
    })

  readonly subscribe = this.subscribeTo("all")

  #attach(hub: Hub, hits: Hits): void {
    this.#hubs = [...this.#hubs, hub]
    const stop = this.listen((event) => this.#deliver(hub, event), hits)
    hub.stop = () => {
      this.#hubs = this.#hubs.filter((other) => other !== hub)
      stop()
    }
  }

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
    for (const { stop } of hubs) stop()
    return Effect.forEach(hubs, (hub) => PubSub.shutdown(hub.pubsub), { discard: true })
  })

  #publish(event: LarderEvent): void {
    for (const { hear } of this.#all) hear(event)
  }

  #deliver(hub: Hub, event: LarderEvent): void {
    this.#offer(hub, event)
    // Wake waiting subscribers once for many events: waking costs more than a hit.
    if (!this.#wakes && hub.pubsub.subscribers.size > 0) {
      this.#wakes = true
      this.#soon(this.#wake)
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
