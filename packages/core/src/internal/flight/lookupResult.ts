/** Turns upstream's answer into an entry or a failure. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { CircuitBreakerError } from "effect/persistence/CircuitBreaker"
import { type Entry, expireAt } from "../../Entry.ts"
import * as Freshness from "../../Freshness.ts"
import { LookupTimeout } from "../../LarderError.ts"
import * as Policy from "../../Policy.ts"
import * as Upstream from "../../Upstream.ts"
import type { Engine } from "../state/engine.ts"
import type { EntryWithPolicy } from "../state/localEntries.ts"
import type { Failure, Quiet } from "../state/failureMemory.ts"
import {
  type Candidate,
  type FailureReason,
  type Flight,
  type Outcome,
  staleReasonOf,
} from "../state/flight.ts"
import { Shed } from "../upstream/concurrencyLimiter.ts"
import { firstRefusal } from "./circuits.ts"
import { cappedByLag } from "./replicaLag.ts"
import type { Answer } from "./lookup.ts"
import { attempt } from "../state/userCode.ts"

export interface Arrived {
  readonly outcome: Outcome
  /** The entry to store; undefined where there is none. */
  readonly kept: EntryWithPolicy | undefined
}

/** The outcome of an answer, and the entry to store. */
export const arrive = (
  engine: Engine,
  flight: Flight,
  answer: Answer,
  previous: Entry<unknown> | undefined,
  version: number,
): Arrived => {
  const { exit } = answer
  try {
    return Exit.isFailure(exit)
      ? failed(engine, flight, exit.cause, answer.notReturned)
      : succeeded(engine, flight, exit.value, answer.millis, previous, version)
  } catch (defect) {
    return failed(engine, flight, Cause.die(defect), false)
  }
}

const succeeded = (
  engine: Engine,
  flight: Flight,
  answered: unknown,
  loadMillis: number,
  previous: Entry<unknown> | undefined,
  version: number,
): Arrived => {
  if (Upstream.isNotModified(answered) && previous === undefined) {
    throw new Error(
      `${engine.settings.name}: the lookup of ${JSON.stringify(flight.k)} answered notModified, but there was no previous entry; answer notModified only when \`previous\` is given`,
    )
  }
  const renewed = Upstream.isNotModified(answered) ? previous : undefined
  const value = renewed === undefined ? answered : renewed.value
  return attempt(
    () => usable(engine, flight, value, renewed, loadMillis, version),
    (failure) => {
      // Drop the previous value, on which an option fails: the next lookup must not offer it to upstream again.
      if (renewed !== undefined && !engine.flights.isDetached(flight)) engine.near.delete(flight.k)
      engine.optionFailures.onAnswer(failure)
      const result = justLookedUp(unkept(engine, flight, value, loadMillis, version), flight)
      return { outcome: { _tag: "Value", result, newerKnown: undefined }, kept: undefined }
    },
  )
}

/** Upstream answered with an older value than the known one: recorded as a failure, so that refreshes pause. */
const lagging = {
  exit: Exit.void,
  reason: "failed",
  graceDenied: false,
  notReturned: false,
} as const

/** Stores a value, unless a newer one is known by `revision`. Throws `OptionFailed`. */
const usable = (
  engine: Engine,
  flight: Flight,
  value: unknown,
  renewed: Entry<unknown> | undefined,
  loadMillis: number,
  version: number,
): Arrived => {
  const policy = engine.settings.policyOf(value, flight.key)
  const newer = newerOf(engine, flight, value)
  const entry = makeEntry(engine, flight, policy, value, renewed, loadMillis, version)
  const result = justLookedUp(entry, flight)
  if (newer !== undefined) {
    engine.observer.counters.superseded += 1
    engine.observer.tell({ _tag: "Superseded", key: flight.k })
    holdBack(engine, flight, lagging)
    return { outcome: { _tag: "Value", result, newerKnown: newer }, kept: undefined }
  }
  const kept = { entry, policy, weight: engine.weigh(value, flight.k) }
  return { outcome: { _tag: "Value", result, newerKnown: undefined }, kept }
}

/** The entry of a value that is returned and not stored. */
const unkept = (
  engine: Engine,
  flight: Flight,
  value: unknown,
  loadMillis: number,
  version: number,
): Entry<unknown> => {
  const now = engine.now()
  const times = { storedAt: now, freshUntil: now, revalidateUntil: now, staleUntil: now }
  return { value, ...times, loadMillis, version, asOf: flight.asOf, tags: [] }
}

const makeEntry = (
  engine: Engine,
  flight: Flight,
  policy: Policy.Policy,
  value: unknown,
  renewed: Entry<unknown> | undefined,
  loadMillis: number,
  version: number,
): Entry<unknown> => {
  const { etag, tags } = engine.settings
  const validator = renewed === undefined ? etag?.(value, flight.key) : renewed.etag
  const times = entryTimes(engine, policy)
  // Field by field: a spread costs more than the rest of this function.
  const entry = {
    value,
    storedAt: times.storedAt,
    freshUntil: times.freshUntil,
    revalidateUntil: times.revalidateUntil,
    staleUntil: times.staleUntil,
    loadMillis,
    version,
    asOf: flight.asOf,
    tags: renewed?.tags ?? tags?.(value, flight.key) ?? [],
  }
  return cappedByLag(
    engine,
    flight,
    validator === undefined ? entry : { ...entry, etag: validator },
  )
}

const justLookedUp = (entry: Entry<unknown>, { gapsBefore, lookedUpAt }: Flight): Candidate => ({
  entry,
  exit: Exit.succeed(entry.value),
  freshness: Freshness.fresh,
  tier: "upstream",
  gapsBefore,
  askedAt: lookedUpAt,
})

/** The times of a value that upstream validates now. */
export const entryTimes = (engine: Engine, policy: Policy.Policy) =>
  Policy.times(policy, engine.now(), policy.jitter === 0 ? 0 : engine.random.nextDoubleUnsafe())

/**
 * The entry as the flight may use it: only for stale-if-error, where a message has told of a newer
 * version since the flight began. Undefined where its life ends with that, or the newer version is a
 * removal.
 */
export const unlessOutdated = (
  { heard, removed }: Flight,
  entry: Entry<unknown>,
  now: number,
): Entry<unknown> | undefined => {
  if (entry.version < removed) return undefined
  return entry.version < heard ? expireAt(entry, now) : entry
}

/** The newest known value that can still be returned. */
export const bestCandidate = (engine: Engine, flight: Flight): Candidate | undefined => {
  const now = engine.now()
  const local = engine.entries.candidate(flight.k, now)
  const { k, stale } = flight
  const entry = stale && unlessOutdated(flight, stale.entry, now)
  if (stale === undefined || entry === undefined) return local
  const freshness = engine.entries.judgeKnown(k, entry, stale.gapsBefore, now)
  if (freshness._tag === "Missing") return local
  // On equal versions the tier's: memory has its copy from there.
  return local !== undefined && local.entry.version > entry.version
    ? local
    : { ...stale, entry, freshness }
}

/** A known value that is newer than `value` by `revision`: upstream read a lagging replica. */
const newerOf = (engine: Engine, flight: Flight, value: unknown): Candidate | undefined => {
  const { revision } = engine.settings
  if (revision === undefined) return undefined
  const own = revision(value)
  const known = bestCandidate(engine, flight)
  if (known === undefined) return undefined
  const theirs = attempt(
    () => revision(known.entry.value),
    (failure) => engine.optionFailures.undecodable(flight.k, known.tier, failure),
  )
  if (theirs !== undefined) {
    if (own === theirs) engine.observer.counters.sameRevision += 1
    return own < theirs ? known : undefined
  }
  engine.near.delete(flight.k)
  return undefined
}

export const failed = (
  engine: Engine,
  flight: Flight,
  cause: Cause.Cause<unknown>,
  notReturned: boolean,
): Arrived => {
  const exit = Exit.failCause(cause)
  const reason = notReturned ? "notReturned" : reasonOf(cause)
  const graceDenied = isGraceDenied(engine, flight, exit, reason)
  if (!engine.flights.isDetached(flight)) {
    holdBack(engine, flight, { exit, reason, graceDenied, notReturned })
  }
  const outcome: Outcome = { _tag: "Failure", exit, reason, graceDenied, notReturned }
  return { outcome, kept: undefined }
}

/** Whether `graceFor` denies a stale value in place of this error. */
const isGraceDenied = (
  engine: Engine,
  flight: Flight,
  exit: Exit.Exit<unknown, unknown>,
  reason: FailureReason,
): boolean => {
  const { graceFor } = engine.settings
  if (graceFor === undefined || staleReasonOf(reason) !== "failed") return false
  const error = errorOf(exit)
  if (error === undefined || error.value instanceof LookupTimeout) return false
  return attempt(
    () => !graceFor(error.value, flight.key),
    (failure) => {
      engine.optionFailures.onError(failure)
      return false
    },
  )
}

const nothingHeldBack = { retryAt: 0, rememberUntil: 0, deniedUntil: 0 } as const

/** Remembers a failure: returned again for `failureFor`, and no refresh for `retryAfterFailure`. */
export const holdBack = (
  engine: Engine,
  flight: Flight,
  failure: Omit<Failure, "retryAt" | "rememberUntil" | "deniedUntil" | "quiet">,
): void => {
  const now = engine.now()
  const remembered = rememberMillis(engine, flight, failure.exit)
  const known = bestCandidate(engine, flight)
  const { graceDenied } = failure
  // A tier may have a stale entry that this flight has not read.
  const mayHaveStale = known !== undefined || (graceDenied && engine.stack.farther.length > 0)
  const quiet = quietAfter(engine, flight, now)
  if (!mayHaveStale && remembered === 0) {
    // A failure that is remembered for longer stays.
    const before = engine.failures.at(flight.k, now) ?? { ...failure, ...nothingHeldBack }
    if (quiet !== undefined) engine.failures.set(flight.k, { ...before, quiet })
    return
  }
  const retryAt = mayHaveStale ? now + engine.settings.policy.retryAfterFailure : 0
  const deniedUntil = graceDenied ? (known?.entry.staleUntil ?? retryAt) : 0
  const rememberUntil = now + remembered
  engine.failures.set(flight.k, { ...failure, retryAt, rememberUntil, deniedUntil, quiet })
}

/** Until when the tiers are not read again for a key that was not looked up, while a circuit is open. */
const quietAfter = (engine: Engine, flight: Flight, now: number): Quiet | undefined => {
  const { haveTiersAnswered, k, stale } = flight
  if (firstRefusal(engine) === undefined) return undefined
  // A flight that has not read the tiers does not prolong the time.
  if (!haveTiersAnswered) return engine.failures.at(k, now)?.quiet
  return {
    until: now + engine.settings.policy.retryAfterFailure,
    version: stale?.entry.version ?? 0,
  }
}

const rememberMillis = (
  engine: Engine,
  flight: Flight,
  exit: Exit.Exit<unknown, unknown>,
): number => {
  const { failureFor } = engine.settings
  if (failureFor === undefined) return 0
  const error = errorOf(exit)
  if (error === undefined || error.value instanceof LookupTimeout) return 0
  return attempt(
    () => failureFor(error.value, flight.key),
    (failure) => {
      engine.optionFailures.onError(failure)
      return 0
    },
  )
}

const errorOf = (exit: Exit.Exit<unknown, unknown>): { readonly value: unknown } | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  for (const reason of exit.cause.reasons) {
    if (reason._tag === "Fail") return { value: reason.error }
  }
  return undefined
}

export const reasonOf = (cause: Cause.Cause<unknown>): FailureReason => {
  let otherwise: FailureReason = "defect"
  for (const reason of cause.reasons) {
    if (reason._tag !== "Fail") continue
    if (reason.error instanceof CircuitBreakerError) return "breakerOpen"
    if (reason.error instanceof Shed) return "shed"
    otherwise = reason.error instanceof LookupTimeout ? "timeout" : "failed"
  }
  return otherwise
}
