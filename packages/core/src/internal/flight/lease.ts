/** Acquires the lease of a key, which the arbiter grants to one node at a time (single flight across nodes). */
import * as Effect from "effect/Effect"
import { consider } from "./adopt.ts"
import { completeWithOthersFailure } from "./recentFailure.ts"
import { tellSlow, tellSlowStep } from "../state/spanEvents.ts"
import type { ChangeSignal } from "../state/changeSignals.ts"
import type { CallerSpan, Engine } from "../state/engine.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import type { LeaseOutcome } from "../observe/labels.ts"
import type { Granted } from "../tier/leases.ts"
import { Budget } from "../tier/budget.ts"
import type { Flight } from "../state/flight.ts"
import { allHaveStale } from "../state/lookupDemand.ts"
import { LeasePauses } from "../runtime/leasePauses.ts"
import { leaseRequestsUnanswered } from "../runtime/limits.ts"

/** Options of a request: take the lease from its holder, and despite another node's recent failure. */
interface Claim {
  readonly force: boolean
  readonly despiteFailure: boolean
  /** The longest wait for the holder has passed. */
  readonly takesOver: boolean
}

const byForce: Claim = { force: true, despiteFailure: true, takesOver: false }
const byTakingOver: Claim = { ...byForce, takesOver: true }

/**
 * Ends when the flight has an outcome, has a lease, or continues without one because the arbiter
 * does not answer. Waits for another node's lookup at most `leaseWait`, and no longer than a lookup
 * may take, then takes the lease over.
 */
export const leaseFor = (
  engine: Engine,
  arbiter: FartherTier,
  flight: Flight,
  budget: Budget,
  span: CallerSpan,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const signal = engine.signals.open(flight.k)
    const wait = new LeaseWait(engine, arbiter, flight, signal, budget, span)
    const ended = Effect.sync(() => {
      signal.close()
      // A wait whose last caller left is a wait as well.
      wait.measured()
    })
    return Effect.ensuring(wait.leased, ended)
  })

/** One flight's requests for its lease, with the waits between them. */
class LeaseWait {
  readonly #engine: Engine
  readonly #arbiter: FartherTier
  readonly #flight: Flight
  readonly #signal: ChangeSignal
  readonly #span: CallerSpan
  readonly #began: number
  readonly #longest: number
  #claim: Claim
  #budget: Budget
  readonly #pauses = new LeasePauses()
  /** Counted from the first busy answer: the trip to the arbiter is no wait for another node. */
  #busySince: number | undefined
  /** Requests without an answer since the last busy answer. */
  #unanswered = 0

  constructor(
    engine: Engine,
    arbiter: FartherTier,
    flight: Flight,
    signal: ChangeSignal,
    budget: Budget,
    span: CallerSpan,
  ) {
    this.#span = span
    this.#engine = engine
    this.#arbiter = arbiter
    this.#flight = flight
    this.#signal = signal
    this.#budget = budget
    this.#claim = firstClaim(engine, flight)
    this.#began = engine.stopwatch()
    const { leaseWaitMillis } = engine.stack
    this.#longest = Math.min(leaseWaitMillis, engine.settings.policy.hardTimeout) - flight.waited
  }

  get leased(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.#flight.isWanted) return Effect.void
      this.#signal.reset()
      const asked = timed(
        this.#engine,
        this.#arbiter,
        this.#span,
        request(this.#engine, this.#arbiter, this.#flight, this.#claim, this.#budget),
      )
      // Uninterruptible: other nodes would wait for a lease that was granted and forgotten.
      return Effect.flatMap(Effect.uninterruptible(asked), (answer) => this.#after(answer))
    })
  }

  #after(answer: Answer): Effect.Effect<void> {
    if (answer === "busy") {
      this.#busySince ??= this.#engine.stopwatch()
      this.#unanswered = 0
      return this.#again
    }
    // A timeout does not end the other node's lookup, which was known to run.
    if (answer === "unanswered" && this.#isStillWorthWaiting) return this.#again
    this.#toldOfWait()
    if (!isClaim(answer)) return Effect.void
    this.#claim = answer
    return this.leased
  }

  get #isStillWorthWaiting(): boolean {
    if (this.#busySince === undefined || this.#flight.isForeign) return false
    this.#unanswered += 1
    return this.#unanswered <= leaseRequestsUnanswered
  }

  /** Waits for a message or for the next poll, and asks again; by force after the longest wait. */
  get #again(): Effect.Effect<void> {
    const engine = this.#engine
    // A wait for another node does not use up the budget of the tiers.
    this.#budget = new Budget(engine.settings.policy.tierTimeout)
    const left = this.#longest - Math.round(engine.stopwatch() - this.#began)
    if (left <= 0) {
      this.#claim = byTakingOver
      return this.leased
    }
    const millis = Math.ceil(this.#pauses.next(engine.random.nextDoubleUnsafe()))
    const pause = engine.sleep(Math.min(millis, left))
    return Effect.andThen(this.#signal.wait(pause), this.leased)
  }

  #toldOfWait(): void {
    const waited = this.measured()
    if (waited === undefined) return
    const millis = Math.round(waited)
    this.#engine.observer.tell({ _tag: "LeaseWaited", key: this.#flight.k, millis })
  }

  /** Records the wait for another node, which ends now. Returns it, ms; undefined where there was none. */
  measured(): number | undefined {
    if (this.#busySince === undefined) return undefined
    const waited = this.#engine.stopwatch() - this.#busySince
    this.#busySince = undefined
    this.#engine.observer.measures.leaseWaits.record(waited / 1_000)
    tellSlow(this.#engine, this.#span, "larder.lease_wait", waited)
    return waited
  }
}

/**
 * As `leaseFor` for many keys, in one trip to each part of the arbiter, without waiting. Returns
 * the flights whose lease another node holds.
 */
export const leaseAll = (
  engine: Engine,
  arbiter: FartherTier,
  flights: ReadonlyArray<Flight>,
  budget: Budget,
  span: CallerSpan,
): Effect.Effect<ReadonlyArray<Flight>> =>
  Effect.gen(function* () {
    const { leaseMillis } = engine.stack
    const busy: Array<Flight> = []
    let left = flights.map((flight) => ({ flight, claim: firstClaim(engine, flight) }))
    while (left.length > 0) {
      const asking = left.filter(({ flight }) => flight.isWanted)
      const requests = asking.map(({ claim: { despiteFailure, force }, flight: { k, known } }) => ({
        force,
        despiteFailure,
        key: k,
        known,
        leaseMillis,
      }))
      left = []
      const asked = timed(engine, arbiter, span, arbiter.leases.acquireAll(requests, budget))
      const granted = Effect.flatMap(asked, (all) => {
        const answering = new Set(
          asking.flatMap(({ flight: { k } }, i) => (all[i] === undefined ? [] : arbiter.partOf(k))),
        )
        return engine.turns.each(asking, ({ claim, flight }, i) => {
          flight.arbiterAnswers = answering.has(arbiter.partOf(flight.k))
          const { known } = requests[i]!
          const answer = answerTo(engine, arbiter, flight, { ...claim, known }, all[i])
          if (answer === "busy") busy.push(flight)
          else if (isClaim(answer)) left.push({ flight, claim: answer })
        })
      })
      // Uninterruptible: other nodes would wait for a lease that was granted and forgotten.
      yield* Effect.uninterruptible(granted)
    }
    return busy
  })

/** Tells the caller's span of a slow request. */
const timed = <A>(
  engine: Engine,
  arbiter: FartherTier,
  span: CallerSpan,
  asked: Effect.Effect<A>,
): Effect.Effect<A> => {
  if (span === undefined) return asked
  return Effect.suspend(() => {
    const began = engine.stopwatch()
    return Effect.map(asked, (answer) => {
      tellSlowStep(engine, span, arbiter, "lease", engine.stopwatch() - began)
      return answer
    })
  })
}

const firstClaim = (engine: Engine, flight: Flight): Claim => {
  const own = engine.leases.holder(flight.k)
  // Do not wait for a lease that this node holds for a detached flight: take it.
  const force = flight.force || (own !== undefined && engine.flights.isDetached(own))
  return { force, despiteFailure: !allHaveStale(engine, flight), takesOver: false }
}

/** How a request ended, or the claim of the next request. */
type Answer = "won" | "completed" | "unanswered" | "busy" | Claim

const isClaim = (answer: Answer): answer is Claim => typeof answer === "object"

const request = (
  engine: Engine,
  arbiter: FartherTier,
  flight: Flight,
  claim: Claim,
  budget: Budget,
): Effect.Effect<Answer> => {
  const { despiteFailure, force } = claim
  const { known } = flight
  const { leaseMillis } = engine.stack
  const asked = { force, despiteFailure, known, leaseMillis }
  return Effect.map(arbiter.leases.acquire(flight.k, asked, budget), (granted) => {
    flight.arbiterAnswers = granted !== undefined
    return answerTo(engine, arbiter, flight, { ...claim, known }, granted)
  })
}

const answerTo = (
  engine: Engine,
  arbiter: FartherTier,
  flight: Flight,
  asked: Claim & { readonly known: number },
  granted: Granted | undefined,
): Answer => {
  const { k } = flight
  engine.observer.counters.leases[leaseOutcome(asked, granted)] += 1
  if (granted === undefined) return "unanswered"
  switch (granted._tag) {
    case "Won":
      flight.lease = {
        token: granted.token,
        storedVersion: granted.storedVersion,
        isFirst: asked.known === 0 && !asked.force,
        stopRenewal: keepLease(engine, arbiter, k, granted.token),
      }
      engine.leases.hold(flight)
      engine.observer.tell({ _tag: "LeaseWon", key: k, token: granted.token })
      return "won"
    case "Busy":
      engine.observer.tell({ _tag: "LeaseBusy", key: k, leftMillis: granted.leftMillis })
      return "busy"
    case "Newer":
      consider(engine, flight, arbiter, granted.found)
      if (flight.isForeign) return "unanswered"
      // The next request names the version just read, so the entry is not newer any more. By force where
      // its version cannot be read.
      return flight.known > asked.known ? asked : byForce
    case "Failed": {
      // More time left than `retryAfterFailure` means that the tier's clock was set back.
      const isBelieved = granted.leftMillis <= engine.settings.policy.retryAfterFailure
      if (isBelieved && completeWithOthersFailure(engine, flight, granted.leftMillis))
        return "completed"
      // Older arbiters ignore `despiteFailure`: use force.
      return asked.despiteFailure
        ? byForce
        : { force: false, despiteFailure: true, takesOver: false }
    }
  }
}

/** How a request for a lease counts. `takesOver`: the longest wait for its holder has passed. */
export const leaseOutcome = (
  { takesOver }: Pick<Claim, "takesOver">,
  granted: Granted | undefined,
): LeaseOutcome => {
  switch (granted?._tag) {
    case undefined:
      return "unanswered"
    case "Won":
      return takesOver ? "takenOver" : "won"
    case "Busy":
      return "busy"
    case "Newer":
      return "newer"
    case "Failed":
      return "failedElsewhere"
  }
}

/**
 * Renews a lease after each third of its time while its holder works; returns a function that stops it.
 * `onRenewed` gets the monotonic time at which a renewal that the arbiter confirmed was sent.
 */
export const keepLease = (
  engine: Engine,
  arbiter: FartherTier,
  k: string,
  token: number,
  onRenewed: (sentAt: number) => void = () => {},
): (() => void) => {
  const { leaseMillis } = engine.stack
  let sentAt = 0
  const renewing = Effect.suspend(() => {
    sentAt = engine.stopwatch()
    return arbiter.leases.renew(k, token, leaseMillis)
  })
  const renewal = Effect.map(renewing, (held) => {
    if (held === true) onRenewed(sentAt)
    // The holder ended meanwhile and gave the lease back: the lease was not lost.
    if (stopped) return
    if (held === false) {
      engine.observer.counters.leases.lost += 1
      engine.observer.tell({ _tag: "LeaseLost", key: k })
    } else timer = schedule()
  })
  const schedule = () =>
    engine.timers.schedule(engine.now() + leaseMillis / 3, () => engine.fibers.fork(renewal))
  let stopped = false
  let timer = schedule()
  return () => {
    stopped = true
    engine.timers.cancel(timer)
  }
}

/** Releases a lease. `failedMillis`: for how long other nodes do not retry; 0 unless the lookup failed. */
export const releaseLease = (engine: Engine, flight: Flight, failedMillis: number): void => {
  const { arbiter } = engine.stack
  const { k, lease } = flight
  if (arbiter === undefined || lease === undefined) return
  endLease(engine, flight)
  engine.fibers.forkAwaited(arbiter.leases.release(k, lease.token, failedMillis))
}

/** Forgets the lease of a flight and stops its renewal, without telling the arbiter. */
export const endLease = (engine: Engine, flight: Flight): void => {
  flight.lease?.stopRenewal()
  engine.leases.end(flight)
  flight.lease = undefined
}

/** Releases the lease of a lookup without a result. A settling flight keeps the lease for its commit. */
export const giveBack = (engine: Engine, flight: Flight): void => {
  if (flight.settling === undefined) releaseLease(engine, flight, 0)
}
