/** Acquires the lease of a key, which the arbiter grants to one node at a time (single flight across nodes). */
import * as Effect from "effect/Effect"
import { consider } from "./adopt.ts"
import { completeWithOthersFailure } from "./recentFailure.ts"
import type { Engine } from "../state/engine.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import type { Granted } from "../tier/leases.ts"
import { Budget } from "../tier/budget.ts"
import type { Flight } from "../state/flight.ts"
import { allHaveStale } from "../state/lookupDemand.ts"
import { firstLeasePauseMillis, longestLeasePauseMillis } from "../runtime/limits.ts"

/** Options of a request: take the lease from its holder, and despite another node's recent failure. */
interface Claim {
  readonly force: boolean
  readonly despiteFailure: boolean
}

const byForce: Claim = { force: true, despiteFailure: true }

/**
 * Ends when the flight has an outcome, has a lease, or continues without one because the arbiter
 * does not answer. Waits for another node's lookup at most `leaseWait`, then takes the lease over.
 */
export const leaseFor = (
  engine: Engine,
  arbiter: FartherTier,
  flight: Flight,
  budget: Budget,
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const began = engine.stopwatch()
    let claim = firstClaim(engine, flight)
    let trip = budget
    let pause = firstLeasePauseMillis
    // Counted from the first busy answer: the trip to the arbiter is no wait for another node.
    let busySince: number | undefined
    while (flight.isWanted) {
      // Uninterruptible: other nodes would wait for a lease that was granted and forgotten.
      const granted = yield* Effect.uninterruptible(request(engine, arbiter, flight, claim, trip))
      const now = engine.stopwatch()
      const waited = Math.round(now - began)
      if (granted === "busy") busySince ??= now
      else if (busySince !== undefined) {
        const millis = Math.round(now - busySince)
        engine.observer.tell({ _tag: "LeaseWaited", key: flight.k, millis })
        busySince = undefined
      }
      if (isClaim(granted)) {
        claim = granted
        continue
      }
      if (granted !== "busy") return
      // A wait for another node does not use up the budget of the tiers.
      trip = new Budget(engine.settings.policy.tierTimeout)
      if (waited >= engine.stack.leaseWaitMillis) claim = byForce
      else {
        yield* engine.sleep(Math.min(pause, engine.stack.leaseWaitMillis - waited))
        pause = Math.min(2 * pause, longestLeasePauseMillis)
      }
    }
  })

/**
 * As `leaseFor` for many keys, in one trip to each part of the arbiter, without waiting. Returns
 * the flights whose lease another node holds.
 */
export const leaseAll = (
  engine: Engine,
  arbiter: FartherTier,
  flights: ReadonlyArray<Flight>,
  budget: Budget,
): Effect.Effect<ReadonlyArray<Flight>> =>
  Effect.gen(function* () {
    const { leaseMillis } = engine.stack
    const busy: Array<Flight> = []
    let left = flights.map((flight) => ({ flight, claim: firstClaim(engine, flight) }))
    while (left.length > 0) {
      const asking = left.filter(({ flight }) => flight.isWanted)
      const requests = asking.map(({ claim, flight: { k, known } }) => ({
        ...claim,
        key: k,
        known,
        leaseMillis,
      }))
      left = []
      const granted = Effect.flatMap(arbiter.leases.acquireAll(requests, budget), (all) =>
        engine.turns.each(asking, ({ flight }, i) => {
          const answer = answerTo(engine, arbiter, flight, requests[i]!, all[i])
          if (answer === "busy") busy.push(flight)
          else if (isClaim(answer)) left.push({ flight, claim: answer })
        }),
      )
      // Uninterruptible: other nodes would wait for a lease that was granted and forgotten.
      yield* Effect.uninterruptible(granted)
    }
    return busy
  })

const firstClaim = (engine: Engine, flight: Flight): Claim => {
  const own = engine.leases.holder(flight.k)
  // Do not wait for a lease that this node holds for a detached flight: take it.
  const force = flight.force || (own !== undefined && engine.flights.isDetached(own))
  return { force, despiteFailure: !allHaveStale(engine, flight) }
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
  const asked = { ...claim, known: flight.known, leaseMillis: engine.stack.leaseMillis }
  return Effect.map(arbiter.leases.acquire(flight.k, asked, budget), (granted) =>
    answerTo(engine, arbiter, flight, asked, granted),
  )
}

const answerTo = (
  engine: Engine,
  arbiter: FartherTier,
  flight: Flight,
  asked: Claim & { readonly known: number },
  granted: Granted | undefined,
): Answer => {
  const { k } = flight
  if (granted === undefined) return "unanswered"
  switch (granted._tag) {
    case "Won":
      flight.lease = {
        token: granted.token,
        isFirst: asked.known === 0 && !asked.force,
        stopRenewal: keepLease(engine, arbiter, flight, granted.token),
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
      return asked.despiteFailure ? byForce : { force: false, despiteFailure: true }
    }
  }
}

/** Renews a lease after each third of its time while the lookup runs; returns a function that stops it. */
const keepLease = (
  engine: Engine,
  arbiter: FartherTier,
  flight: Flight,
  token: number,
): (() => void) => {
  const { leaseMillis } = engine.stack
  const renewal = Effect.map(arbiter.leases.renew(flight.k, token, leaseMillis), (held) => {
    // The lookup ended meanwhile and gave the lease back: the lease was not lost.
    if (stopped) return
    if (held === false) engine.observer.tell({ _tag: "LeaseLost", key: flight.k })
    else timer = schedule()
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
