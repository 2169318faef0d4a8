/**
 * One circuit of upstream as this process sees it, and the lookups that wait for its next probe.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import { Chain, Linked } from "../runtime/linkedSet.ts"
import type { LiveDemand } from "./liveDemand.ts"
import { monotonicMillis } from "../runtime/monotonic.ts"
import { Ahead } from "../runtime/steadyBreaker.ts"
import { type Timer, Timers } from "../runtime/deadlines.ts"
import { circuitRetryMillis } from "../runtime/limits.ts"

type Store = CircuitBreaker.CircuitBreakerStore["Service"]
type Refusal = CircuitBreaker.CircuitBreakerError

export interface Options {
  readonly key: string
  /** While lookups wait, the time from the opening to an early probe, ms. */
  readonly probeEvery: number
  /** How many lookups may wait. */
  readonly queue: number
  /** Only this circuit uses the store, so its open time can be cut short. */
  readonly isOwn: boolean
}

class Waiting extends Linked<Waiting> {
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly resume: (effect: Effect.Effect<void, Refusal>) => void

  constructor(
    fiber: Fiber.Fiber<unknown, unknown>,
    resume: (effect: Effect.Effect<void, Refusal>) => void,
  ) {
    super()
    this.fiber = fiber
    this.resume = resume
  }
}

export class Circuit {
  readonly #options: Options
  readonly #clock: Clock.Clock
  readonly #timers: Timers
  readonly #waiting = new Chain<Waiting>()
  #state: CircuitBreaker.State["_tag"] = "Closed"
  /** In monotonic time, as are the other times here. */
  #openedAt = 0
  #openUntil = 0
  /** The end of upstream's own retry-after. */
  #notBefore = 0
  /** The generation of this process's running probe. */
  #probe: number | undefined
  /** Failed early probes, which the backoff does not count. */
  #early = 0
  #isEarly = false
  /** When a waiting lookup was elected as the probe; undefined after it is admitted or refused. */
  #electedAt: number | undefined
  #timer: Timer | undefined
  /** When a lookup reserved the place of the probe: see {@link approach}. */
  #approachedAt: number | undefined
  #isRetried = false
  /** Called with the state of a store of several processes, whose changes by others nobody tells. */
  onSeen: (state: CircuitBreaker.State["_tag"]) => void = () => {}

  constructor(context: Context.Context<never>, options: Options) {
    this.#options = options
    this.#clock = Context.get(context, Clock.Clock)
    this.#timers = new Timers(context)
  }

  stop(): void {
    this.#timers.stop()
  }

  /** Records upstream's retry-after. */
  hinted(retryAfter: Duration.Duration): void {
    const until = this.#now() + Duration.toMillis(retryAfter)
    this.#notBefore = Math.max(this.#notBefore, until)
  }

  /**
   * The error that would refuse a lookup that does not wait for a probe, as far as this process knows.
   * Lets a lookup fail before it takes a lease.
   */
  refusal(): Refusal | undefined {
    if (this.#state === "Closed") return undefined
    const { key } = this.#options
    const left = this.#openUntil - this.#now()
    if (this.#state === "Open" && left > 0) return open(key, Duration.millis(left))
    const isTaken = this.#probe !== undefined || left > 0 || this.#approachedAt !== undefined
    return isTaken ? halfOpen(key) : undefined
  }

  /** Whether the circuit is closed, as far as this process knows. */
  get isClosed(): boolean {
    return this.#state === "Closed"
  }

  /** A retry around the circuit sees its refusals: a refused lookup may yet succeed. */
  get isRetried(): boolean {
    return this.#isRetried
  }

  /** Whether no other process can change the circuit. */
  get isOwn(): boolean {
    return this.#options.isOwn
  }

  retriesRefusals(): void {
    this.#isRetried = true
  }

  /** Reserves the place of the probe: other lookups are refused. Returns a function that gives it up. */
  approach(): () => void {
    if (this.#state === "Closed" || this.#approachedAt !== undefined) return () => {}
    this.#approachedAt = this.#now()
    let isHeld = true
    return () => {
      // Race: another lookup reserves the place after the first call, before the second.
      if (isHeld) this.#approachedAt = undefined
      isHeld = false
      this.#pace()
    }
  }

  /** Wraps the store: tracks its state here, and admits early probes. */
  watch(store: Store): Store {
    return {
      admit: (key) =>
        store.admit(key).pipe(
          Effect.catch((refusal) => this.#admitEarly(store, key, refusal)),
          Effect.map((admission) => this.#admitted(admission)),
          Effect.tapError((refusal) => Effect.sync(() => this.#refused(refusal))),
        ),
      record: (outcome) =>
        store.record(outcome).pipe(
          Effect.tap((transition) => Effect.sync(() => this.#moved(transition))),
          Effect.ensuring(Effect.sync(() => this.#recorded(outcome.generation))),
        ),
      state: store.state,
    }
  }

  /**
   * Waits until the circuit closes, or until the caller is elected as the probe. Fails with the
   * caller's refusal where it may not wait, and with the new refusal when the probe fails.
   */
  wait(demand: LiveDemand, refusal: Refusal): Effect.Effect<void, Refusal> {
    return Effect.withFiber((fiber) =>
      Effect.callback<void, Refusal>((resume) => {
        if (!this.#mayWait(demand, refusal)) return resume(Effect.fail(refusal))
        const place = new Waiting(fiber, resume)
        this.#waiting.add(place)
        this.#pace()
        return Effect.sync(() => {
          this.#waiting.delete(place)
          this.#pace()
        })
      }),
    )
  }

  #mayWait(demand: LiveDemand, { reason }: Refusal): boolean {
    if (reason._tag === "CircuitBreakerStoreError") return false
    if (demand.background || demand.stale) return false
    return this.#waiting.size < this.#options.queue && this.#probeAt() < demand.endsAt
  }

  /** When the next probe may run. */
  #probeAt(): number {
    if (this.#electedAt !== undefined) return this.#electedAt + circuitRetryMillis
    // The lookup that came when a probe was due is on its way, as to its lease.
    const approached = this.#approachedAt ?? -Infinity
    if (approached >= this.#openUntil) return approached + circuitRetryMillis
    const { isOwn, probeEvery } = this.#options
    if (this.#state !== "Open" || !isOwn) return this.#openUntil
    const early = Math.max(this.#openedAt + probeEvery, this.#notBefore)
    return Math.min(early, this.#openUntil)
  }

  /** Sets the timer for the next probe while lookups wait and no probe runs. */
  #pace(): void {
    this.#timers.cancel(this.#timer)
    this.#timer = undefined
    if (this.#waiting.size === 0 || this.#probe !== undefined) return
    const now = this.#now()
    const millis = Math.max(0, this.#probeAt() - now)
    this.#timer = this.#timers.after(now, millis, () => this.#elect())
  }

  /** Elects the lookup that has waited longest as the probe. */
  #elect(): void {
    const { first } = this.#waiting
    if (first === undefined) return
    this.#electedAt = this.#now()
    this.#wake(first, Effect.void)
    this.#pace()
  }

  #wake(place: Waiting, verdict: Effect.Effect<void, Refusal>): void {
    this.#waiting.delete(place)
    // In a later turn: the lookup may be refused, and wait again.
    place.fiber.currentDispatcher.scheduleTask(() => place.resume(verdict), 0)
  }

  #wakeAll(verdict: Effect.Effect<void, Refusal>): void {
    for (const place of this.#waiting.all()) this.#wake(place, verdict)
    this.#pace()
  }

  #admitEarly(store: Store, key: string, refusal: Refusal): ReturnType<Store["admit"]> {
    const { reason } = refusal
    const isElected = this.#electedAt !== undefined && this.#options.isOwn
    if (reason._tag !== "CircuitOpen" || !isElected) return Effect.fail(refusal)
    this.#isEarly = true
    // Sets the clock ahead to the end of the open time.
    const ahead = Duration.toMillis(reason.retryAfter) + 1
    return Effect.provideService(store.admit(key), Ahead, ahead)
  }

  #admitted(admission: CircuitBreaker.Admission): CircuitBreaker.Admission {
    this.#electedAt = undefined
    if (!admission.probe) {
      this.#closed()
    } else {
      this.#state = "HalfOpen"
      this.#openUntil = this.#now()
      this.#probe = admission.generation
      this.#pace()
    }
    this.#seen()
    if (admission.consecutiveOpenings === 0) this.#early = 0
    const early = this.#early + (this.#isEarly ? 1 : 0)
    return early === 0
      ? admission
      : { ...admission, consecutiveOpenings: Math.max(0, admission.consecutiveOpenings - early) }
  }

  #refused({ reason }: Refusal): void {
    if (this.#options.isOwn) return
    this.#electedAt = undefined
    if (reason._tag === "CircuitOpen") {
      this.#opened(reason.retryAfter)
    } else if (reason._tag === "CircuitHalfOpen") {
      this.#state = "HalfOpen"
      this.#openUntil = this.#now() + circuitRetryMillis
    }
    this.#seen()
  }

  #seen(): void {
    if (!this.#options.isOwn) this.onSeen(this.#state)
  }

  #moved(transition: CircuitBreaker.Transition | undefined): void {
    if (transition?.to === "Closed") this.#closed()
    if (transition?.to !== "Open") return
    if (transition.from === "HalfOpen" && this.#isEarly) this.#early += 1
    this.#opened(transition.retryAfter)
    this.#wakeAll(Effect.fail(open(this.#options.key, transition.retryAfter)))
  }

  #recorded(generation: number): void {
    if (this.#probe !== generation) return
    this.#probe = undefined
    this.#isEarly = false
    // If the outcome was ignored, the next waiting lookup is the probe.
    this.#pace()
  }

  #opened(retryAfter: Duration.Duration): void {
    const now = this.#now()
    this.#state = "Open"
    this.#openedAt = now
    this.#openUntil = now + Duration.toMillis(retryAfter)
  }

  #closed(): void {
    if (this.#state === "Closed") return
    this.#state = "Closed"
    this.#wakeAll(Effect.void)
  }

  #now(): number {
    return monotonicMillis(this.#clock)
  }
}

const open = (key: string, retryAfter: Duration.Duration): Refusal =>
  new CircuitBreaker.CircuitBreakerError({
    reason: new CircuitBreaker.CircuitOpen({ key, retryAfter }),
  })

const halfOpen = (key: string): Refusal =>
  new CircuitBreaker.CircuitBreakerError({ reason: new CircuitBreaker.CircuitHalfOpen({ key }) })

const circuits = new WeakMap<object, Circuit>()

/** Records the circuit of an upstream's breaker. */
export const setCircuit = <B extends object>(breaker: B, circuit: Circuit): B => {
  circuits.set(breaker, circuit)
  return breaker
}

/** The circuit of a breaker; undefined for one made by hand. */
export const circuitOf = (breaker: object): Circuit | undefined => circuits.get(breaker)
