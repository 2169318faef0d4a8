/** Asks an arbiter for a lease until it is granted, or the caller has waited long enough. */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Deadline from "../../Deadline.ts"
import { LeaseNotAcquired } from "./errors.ts"
import { type Acquired, type Arbiter, type Message, TierError } from "../../Tier.ts"
import { LeasePauses } from "../runtime/leasePauses.ts"
import { leastLoneLeaseStepMillis, longestLoneLeaseStepMillis } from "../runtime/limits.ts"
import type { SteadyClock } from "../runtime/steadyClock.ts"
import type { Settings } from "./settings.ts"

/** A lease of one key, as it is asked for. */
export interface Wanted {
  readonly arbiter: Arbiter
  /** The tier's name in errors. */
  readonly tier: string
  readonly clock: SteadyClock
  readonly key: string
  readonly settings: Settings
}

/** A granted lease. `until`: a moment (ms of the steady clock) before which the arbiter grants it to no other. */
export interface Granted {
  readonly token: number
  readonly until: number
}

/** How long one request may take, ms: a share of the lease, since it delays what depends on its answer. */
export const stepOf = (lease: number, share: number): number =>
  Math.min(Math.max(lease / share, leastLoneLeaseStepMillis), longestLoneLeaseStepMillis)

/** One request: its answer, or a `TierError` once it took too long. */
export const within = <A>(
  step: number,
  { tier }: Wanted,
  operation: string,
  request: Effect.Effect<A, TierError>,
): Effect.Effect<A, TierError> =>
  Deadline.hard(request, {
    after: step,
    onTimeout: () => {
      const cause = new Error(`no answer within ${Math.round(step)} ms`)
      return Effect.fail(new TierError({ tier, operation, cause }))
    },
  })

/** Gives the lease back, unless it has passed on. A lease that cannot be given back ends by its time. */
export const release = (wanted: Wanted, token: number): Effect.Effect<void> =>
  Effect.ignore(
    within(
      stepOf(wanted.settings.lease, 3),
      wanted,
      "release",
      wanted.arbiter.release(wanted.key, token, 0),
    ),
  )

/** Opens the latch whenever the lease may have become free. */
const listen = (
  { arbiter, key }: Wanted,
  signal: Latch.Latch,
): Effect.Effect<void, never, Scope.Scope> => {
  const { listen } = arbiter
  if (listen === undefined) return Effect.void
  const heard = (message: Message): void => {
    const isOfKey = message._tag === "Released" && message.key === key
    if (isOfKey || message._tag === "Gap") signal.openUnsafe()
  }
  // Race: the holder returns the lease between the last request and the subscription. So the end of
  // the subscription's set-up is a reason to ask as well.
  const listening = Effect.andThen(listen(heard), signal.open)
  // Without messages the pauses between two requests bound the wait.
  return Effect.asVoid(
    Effect.forkScoped(Effect.interruptible(Effect.ignoreCause(listening)), {
      startImmediately: true,
    }),
  )
}

const isUnexpected = (got: Acquired): boolean => got._tag === "Newer"

/**
 * Ends with the lease, or fails at once or after `wait`. `restore` makes the pauses interruptible; a
 * request is not, since others would wait for a lease that was granted and forgotten.
 */
export const acquire = (
  wanted: Wanted,
  restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>,
): Effect.Effect<Granted, LeaseNotAcquired | TierError> =>
  Effect.gen(function* () {
    const { arbiter, clock, key, settings } = wanted
    const now = () => clock.currentTimeMillisUnsafe()
    const request = { known: 0, leaseMillis: settings.lease, force: false, despiteFailure: true }
    const asked = within(
      stepOf(settings.lease, 3),
      wanted,
      "acquire",
      arbiter.acquire(key, request),
    )
    const waitsUntil = now() + settings.wait
    const signal = Latch.makeUnsafe(false)
    let isListening = false
    const pauses = new LeasePauses()
    let busyMillis = 0
    while (true) {
      signal.closeUnsafe()
      const sent = now()
      const got = yield* Effect.result(asked)
      if (got._tag === "Success") {
        const answer = got.success
        if (isUnexpected(answer)) {
          return yield* Effect.die(new Error(`a value is stored under the lease ${key}`))
        }
        if (answer._tag === "Won") {
          const until = sent + settings.lease
          if (now() < until) return { token: answer.token, until }
          // The answer took longer than the lease lasts.
          yield* release(wanted, answer.token)
        } else if (answer._tag === "Busy" || answer._tag === "Failed") {
          busyMillis = answer.leftMillis
        }
      }
      const left = waitsUntil - now()
      if (left <= 0) {
        if (got._tag === "Failure") return yield* got.failure
        return yield* new LeaseNotAcquired({ key, leftMillis: busyMillis })
      }
      if (!isListening) {
        isListening = true
        yield* listen(wanted, signal)
      }
      const pause = pauses.next(yield* Random.next)
      const soonest = got._tag === "Success" && busyMillis > 0 ? busyMillis : Infinity
      const millis = Math.ceil(Math.max(1, Math.min(pause, soonest, left)))
      yield* restore(Effect.raceFirst(signal.await, Effect.sleep(millis)))
    }
  }).pipe(Effect.scoped)
