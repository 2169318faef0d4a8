/** Getting the right to look a key up, where an arbiter grants it to one node at a time. */
import * as Effect from "effect/Effect"
import { consider } from "./adopt.ts"
import { completeWithOthersFailure } from "./recentFailure.ts"
import type { Engine } from "../state/engine.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import type { Granted } from "../tier/leases.ts"
import { Budget } from "../tier/budget.ts"
import type { Flight } from "../state/flight.ts"
import { allHaveStale } from "../state/lookupDemand.ts"

/** How often to look whether another node's lookup has ended: at first, and at most. */
const firstPause = 50
const longestPause = 1_000

/** What a request asks for beside a lease that nobody holds. */
interface Claim {
  readonly force: boolean
  readonly despiteFailure: boolean
}

const byForce: Claim = { force: true, despiteFailure: true }

/**
 * Until the flight has an outcome, has a lease, or goes on without one because the
 * arbiter does not answer. Waits for another node's lookup for one lease at
 * most, and then takes the lease over.
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
    let pause = firstPause
    // Since the first busy answer: the arbiter's own trip is no wait for another node.
    let busySince: number | undefined
    while (flight.isWanted) {
      // Seen to its end: a token that nobody remembers would keep everybody waiting.
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
      // Waiting for another node is not a tier's slowness.
      trip = new Budget(engine.settings.policy.tierTimeout)
      if (waited >= engine.stack.leaseMillis) claim = byForce
      else {
        yield* engine.sleep(Math.min(pause, engine.stack.leaseMillis - waited))
        pause = Math.min(2 * pause, longestPause)
      }
    }
  })

/**
 * As `leaseFor` for many keys, in one trip to each part of the arbiter, and without
 * waiting: gives those of which another node holds the lease.
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
      // Seen to its end: a token that nobody remembers would keep everybody waiting.
      yield* Effect.uninterruptible(granted)
    }
    return busy
  })

const firstClaim = (engine: Engine, flight: Flight): Claim => {
  const own = engine.leases.holder(flight.k)
  // A lease that this node holds for a flight that was detached is nobody's to wait for.
  const force = flight.force || (own !== undefined && engine.flights.isDetached(own))
  return { force, despiteFailure: !allHaveStale(engine, flight) }
}

/** How a request ended, or what is claimed in the next one. */
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
      // Asked again, it is not newer any more than what is known; unless its version cannot be read.
      return flight.known > asked.known ? asked : byForce
    case "Failed": {
      // More is left than refreshes are held back for: the tier's clock was set back since.
      const isBelieved = granted.leftMillis <= engine.settings.policy.retryAfterFailure
      if (isBelieved && completeWithOthersFailure(engine, flight, granted.leftMillis))
        return "completed"
      // An arbiter of an older kind knows no request despite a failure.
      return asked.despiteFailure ? byForce : { force: false, despiteFailure: true }
    }
  }
}

/** Renews a lease at a third of its time, while the lookup runs; gives what ends that. */
const keepLease = (
  engine: Engine,
  arbiter: FartherTier,
  flight: Flight,
  token: number,
): (() => void) => {
  const { leaseMillis } = engine.stack
  const renewal = Effect.map(arbiter.leases.renew(flight.k, token, leaseMillis), (held) => {
    // With the lookup, which ended meanwhile, the lease ended as well: it was not lost.
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

/** Gives a lease back, so that nobody waits for it; after a failure others should not ask for a while. */
export const releaseLease = (engine: Engine, flight: Flight, failedMillis: number): void => {
  const { arbiter } = engine.stack
  const { k, lease } = flight
  if (arbiter === undefined || lease === undefined) return
  endLease(engine, flight)
  engine.fibers.forkAwaited(arbiter.leases.release(k, lease.token, failedMillis))
}

/** The flight holds its lease no more. */
export const endLease = (engine: Engine, flight: Flight): void => {
  flight.lease?.stopRenewal()
  engine.leases.end(flight)
  flight.lease = undefined
}

/** For a flight whose lookup ends without a result. One that settles needs its lease for that. */
export const giveBack = (engine: Engine, flight: Flight): void => {
  if (flight.settling === undefined) releaseLease(engine, flight, 0)
}
