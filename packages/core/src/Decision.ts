/**
 * The decisions of a larder, as pure functions over small, finite situations. Use them to build
 * another cache with the same rules, or to look up what a larder does. The larder reads its state
 * without changing it, reduces times, marks, demands and random numbers to a situation, and carries
 * out the action. These functions decide everything that a caller gets:
 *
 * - {@link next}: what a caller gets when it asks, joins or waits, and when its lookup ends;
 * - {@link mayJoin}: whether a caller may have the result of a running lookup;
 * - {@link adoption}: whether an entry of a tier behind memory is the answer;
 * - {@link confirmation}: whether the arbiter's version confirms an entry in memory after a gap;
 * - {@link beforeLookup}: whether the larder asks upstream at all.
 *
 * @module
 * @category tier authors
 * @since 0.1.0
 */
import type { Freshness } from "./Freshness.ts"

/**
 * How a caller may use the best known value at this moment.
 *
 * - `fresh`: serve it.
 * - `due`: serve it; its early refresh is due.
 * - `revalidate`: serve it at once while a refresh runs (stale-while-revalidate).
 * - `error`: serve it only if a lookup fails or is too slow (stale-if-error).
 * - `missing`: there is no value that this caller may have.
 *
 * @category models
 * @since 0.1.0
 */
export type Usability = "fresh" | "due" | "revalidate" | "error" | "missing"

/**
 * The conditions under which a caller accepts a value.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReadDemand {
  /**
   * The caller accepts a value that upstream validated before this moment (ms since the Unix epoch)
   * only when a lookup fails.
   */
  readonly notBefore: number
  /** Whether the caller accepts a stale value at all. */
  readonly allowStale: boolean
}

/**
 * How a caller with this demand may use an entry of this judged freshness. `storedAt` is in
 * milliseconds since the Unix epoch; `isDue` says that the entry's early refresh is due; `isConfirmed`
 * is false where the caller demands the arbiter's confirmation, and the entry does not have it.
 *
 * **Example**
 *
 * ```ts
 * import { Decision, Freshness } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const demand = { notBefore: 5_000, allowStale: true }
 * assert.strictEqual(Decision.usability(Freshness.fresh, 9_000, false, demand), "fresh")
 * assert.strictEqual(Decision.usability(Freshness.fresh, 1_000, false, demand), "error")
 * ```
 *
 * @category decisions
 * @since 0.1.0
 */
export const usability = (
  freshness: Freshness,
  storedAt: number,
  isDue: boolean,
  demand: ReadDemand,
  isConfirmed = true,
): Usability => {
  if (freshness._tag === "Missing") return "missing"
  const tooOld = storedAt < demand.notBefore || !isConfirmed
  if (freshness._tag === "Fresh" && !tooOld) return isDue ? "due" : "fresh"
  if (!demand.allowStale) return "missing"
  return freshness._tag === "Stale" && freshness.grace === "revalidate" && !tooOld
    ? "revalidate"
    : "error"
}

/**
 * The situation of a caller that asks for a key.
 *
 * @category models
 * @since 0.1.0
 */
export interface Arrived {
  readonly trigger: "arrived"
  readonly usability: Usability
  /** A lookup of the key is running that the caller may join: see {@link mayJoin}. */
  readonly inFlight: boolean
  /** A refresh failed less than `retryAfterFailure` ago. */
  readonly throttled: boolean
  /** A failure of this key is remembered (`failureFor`). */
  readonly failureKnown: boolean
  /** `graceFor` denies a stale value in place of the known failure. */
  readonly graceDenied: boolean
}

/**
 * The situation of a caller that has joined a running lookup.
 *
 * @category models
 * @since 0.1.0
 */
export interface Joined {
  readonly trigger: "joined"
  readonly usability: Usability
  readonly graceDenied: boolean
  /** The caller accepts only the result or failure of this lookup: `refresh`. */
  readonly onlyLookup: boolean
}

/**
 * The situation of a waiting caller when a tier behind memory has answered.
 *
 * @category models
 * @since 0.1.0
 */
export interface Found {
  readonly trigger: "found"
  readonly usability: Usability
  readonly graceDenied: boolean
  readonly onlyLookup: boolean
  /** The caller has waited for `softTimeout`. */
  readonly softTimeoutPassed: boolean
}

/**
 * The situation of a caller that has waited for `softTimeout`.
 *
 * @category models
 * @since 0.1.0
 */
export interface SoftTimeout {
  readonly trigger: "softTimeout"
  readonly usability: Usability
  readonly onlyLookup: boolean
}

/**
 * The situation of a waiting caller when the lookup has returned a value.
 *
 * @category models
 * @since 0.1.0
 */
export interface Succeeded {
  readonly trigger: "succeeded"
  /** Whether a value is known that is newer by the source's own `revision`, and its freshness. */
  readonly newerKnown: "none" | "fresh" | "stale"
  readonly allowStale: boolean
  /** An invalidation of a tag of the value fell between the lookup's begin and the caller's arrival. */
  readonly overtaken: boolean
  /** The caller has waited for a lookup before, which was overtaken. */
  readonly isRetry: boolean
  /** A checked read: the value is from before the caller's arrival, and may be older than a settled change. */
  readonly unconfirmed: boolean
}

/**
 * The situation of a waiting caller when the lookup has failed, or when the caller has waited as
 * long as it may.
 *
 * @category models
 * @since 0.1.0
 */
export interface Failed {
  readonly trigger: "failed"
  readonly usability: Usability
  readonly graceDenied: boolean
  readonly onlyLookup: boolean
  /** The failure is an answer to this caller. `KeyNotReturned` of a bulk lookup is no answer to a `get`. */
  readonly isAnswer: boolean
  /** The lookup was that of a `refresh`, which reads no tier: a tier may have an entry for this caller. */
  readonly tiersUnread: boolean
}

/**
 * Every situation of a caller that {@link next} decides.
 *
 * @category models
 * @since 0.1.0
 */
export type Situation = Arrived | Joined | Found | SoftTimeout | Succeeded | Failed

/**
 * The event that asks for a decision.
 *
 * @category models
 * @since 0.1.0
 */
export type Trigger = Situation["trigger"]

/**
 * Why a caller gets a stale value.
 *
 * @category models
 * @since 0.1.0
 */
export type StaleReason = "revalidating" | "failed" | "softTimeout"

/**
 * The action of the larder for the caller: the result of {@link next}.
 *
 * @category models
 * @since 0.1.0
 */
export type Action =
  /** Return the entry as fresh. */
  | { readonly _tag: "Serve"; readonly refresh: boolean }
  /** Return the entry as stale. */
  | { readonly _tag: "ServeStale"; readonly reason: StaleReason; readonly refresh: boolean }
  /** Return the result of the lookup. */
  | { readonly _tag: "ServeResult" }
  /** Return the known value, which is newer than the result of the lookup. */
  | { readonly _tag: "ServeNewer" }
  /** Wait for the running lookup. */
  | { readonly _tag: "Join" }
  /** Begin a lookup and wait for it. */
  | { readonly _tag: "Begin" }
  /** Return the failure: the remembered one on arrival, otherwise that of the lookup. */
  | { readonly _tag: "Fail" }
  /** Continue to wait. */
  | { readonly _tag: "Wait" }
  /** Ask for the key again. */
  | { readonly _tag: "Retry" }

const serve: Action = { _tag: "Serve", refresh: false }
const serveAndRefresh: Action = { _tag: "Serve", refresh: true }
const revalidating: Action = { _tag: "ServeStale", reason: "revalidating", refresh: false }
const revalidate: Action = { _tag: "ServeStale", reason: "revalidating", refresh: true }
const staleAfterFailure: Action = { _tag: "ServeStale", reason: "failed", refresh: false }
const staleAfterSoftTimeout: Action = { _tag: "ServeStale", reason: "softTimeout", refresh: false }
const serveResult: Action = { _tag: "ServeResult" }
const serveNewer: Action = { _tag: "ServeNewer" }
const join: Action = { _tag: "Join" }
const begin: Action = { _tag: "Begin" }
const fail: Action = { _tag: "Fail" }
const wait: Action = { _tag: "Wait" }
const retry: Action = { _tag: "Retry" }

/**
 * Decides the next action for a caller. The function is total: every situation has an action.
 *
 * **Example**
 *
 * ```ts
 * import { Decision } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const action = Decision.next({
 *   trigger: "arrived", usability: "revalidate", inFlight: false,
 *   throttled: false, failureKnown: false, graceDenied: false
 * })
 * assert.deepStrictEqual(action, { _tag: "ServeStale", reason: "revalidating", refresh: true })
 * ```
 *
 * @category decisions
 * @since 0.1.0
 */
export const next = (situation: Situation): Action => {
  switch (situation.trigger) {
    case "arrived":
      return onArrival(situation)
    case "joined":
      return onJoin(situation)
    case "found":
      return onFound(situation)
    case "softTimeout":
      return situation.usability === "missing" || situation.onlyLookup
        ? wait
        : staleAfterSoftTimeout
    case "succeeded":
      return onSuccess(situation)
    case "failed":
      return onFailure(situation)
  }
}

const onArrival = ({
  failureKnown,
  graceDenied,
  inFlight,
  throttled,
  usability: itself,
}: Arrived): Action => {
  const insteadOfLookup = graceDenied ? fail : staleAfterFailure
  // With a refresh in the background, callers would get the stale value and the error alternately.
  const asWhat = graceDenied && itself === "revalidate" ? "error" : itself
  const heldBack = throttled || failureKnown
  switch (asWhat) {
    case "fresh":
      return serve
    case "due":
      return inFlight || heldBack ? serve : serveAndRefresh
    case "revalidate":
      if (inFlight) return revalidating
      return heldBack ? staleAfterFailure : revalidate
    case "error":
      if (inFlight) return join
      return heldBack ? insteadOfLookup : begin
    case "missing":
      if (inFlight) return join
      return failureKnown ? fail : begin
  }
}

/** A fresh entry that a tier returned before may have been removed since: the caller waits until the tiers answer again. */
const onJoin = ({ graceDenied, onlyLookup, usability: itself }: Joined): Action =>
  itself === "revalidate" && !graceDenied && !onlyLookup ? revalidating : wait

const onFound = ({
  graceDenied,
  onlyLookup,
  softTimeoutPassed,
  usability: itself,
}: Found): Action => {
  if (onlyLookup || itself === "missing") return wait
  if (itself === "fresh" || itself === "due") return serve
  if (itself === "revalidate" && !graceDenied) return revalidating
  return softTimeoutPassed ? staleAfterSoftTimeout : wait
}

const onSuccess = (situation: Succeeded): Action => {
  const { allowStale, isRetry, newerKnown, overtaken, unconfirmed } = situation
  if (unconfirmed) return retry
  if (newerKnown === "fresh" || (newerKnown === "stale" && allowStale)) return serveNewer
  return overtaken && !isRetry ? retry : serveResult
}

const onFailure = ({
  graceDenied,
  isAnswer,
  onlyLookup,
  tiersUnread,
  usability: itself,
}: Failed): Action => {
  if (!isAnswer) return retry
  const isFresh = itself === "fresh" || itself === "due"
  const isStale = itself === "revalidate" || itself === "error"
  if (!onlyLookup && (isFresh || (isStale && !graceDenied))) return staleAfterFailure
  return tiersUnread ? retry : fail
}

/**
 * A flight, as seen by a caller that asks for its key.
 *
 * @category models
 * @since 0.1.0
 */
export interface Joinable {
  /** The key has changed since the flight began. */
  readonly isDetached: boolean
  /** The outcome of the flight. A flight has one while its value is being written to the tiers. */
  readonly outcome: "none" | "failure" | Usability
  /** A tag of its value was invalidated since the flight began. */
  readonly overtaken: boolean
}

/**
 * Whether the result of a flight is an answer to a caller that asks now: the key has not changed
 * since the flight began, and no invalidation overtook its result.
 *
 * **Example**
 *
 * ```ts
 * import { Decision } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const running = { isDetached: false, outcome: "none", overtaken: false } as const
 * assert.ok(Decision.mayJoin(running))
 * assert.ok(!Decision.mayJoin({ ...running, isDetached: true }))
 * ```
 *
 * @category decisions
 * @since 0.1.0
 */
export const mayJoin = ({ isDetached, outcome, overtaken }: Joinable): boolean => {
  if (isDetached) return false
  if (outcome === "none") return true
  return (outcome === "fresh" || outcome === "revalidate") && !overtaken
}

/**
 * How a version compares with another; `newer` if there is no other.
 *
 * @category models
 * @since 0.1.0
 */
export type Order = "older" | "same" | "newer"

/**
 * An entry of a tier behind memory, compared with the versions that the larder knows.
 *
 * @category models
 * @since 0.1.0
 */
export interface Offer {
  /** The freshness by time and marks. */
  readonly freshness: Freshness["_tag"]
  /** Whether upstream validated the entry recently enough for every waiting caller. */
  readonly isYoungEnough: boolean
  /** The version, compared with the one in memory. */
  readonly besideMemory: Order
  /** The version, compared with the highest known one, of memory and of other tiers. */
  readonly besideKnown: Order
  /** The flight is a `refresh`: an entry of a tier is no answer. */
  readonly force: boolean
  /** The flight is an early refresh: the key was fresh when it began. */
  readonly early: boolean
}

/**
 * What the larder does with an offered entry. `adopt`: the entry is the answer. `remember`: the
 * larder may serve it while the lookup runs, or if the lookup fails. `ignore`: the larder drops it.
 *
 * @category models
 * @since 0.1.0
 */
export type Adoption = "adopt" | "remember" | "ignore"

/**
 * Decides whether an entry of a tier is the answer.
 *
 * **Details**
 *
 * An answer is fresh, young enough for every waiting caller, and not older than the entry in
 * memory. An early refresh begins because the entry in memory expires soon: the same version is no
 * answer to it. A fresh entry of the known version is remembered, because the tier has confirmed
 * it.
 *
 * **Example**
 *
 * ```ts
 * import { Decision } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const offer = {
 *   freshness: "Fresh", isYoungEnough: true, force: false, early: false,
 *   besideMemory: "newer", besideKnown: "newer"
 * } as const
 * assert.strictEqual(Decision.adoption(offer), "adopt")
 * assert.strictEqual(Decision.adoption({ ...offer, freshness: "Stale" }), "remember")
 * ```
 *
 * @category decisions
 * @since 0.1.0
 */
export const adoption = (offer: Offer): Adoption => {
  const { besideKnown, besideMemory, early, force, freshness, isYoungEnough } = offer
  if (freshness === "Fresh" && !force && isYoungEnough) {
    if (besideMemory === "newer" || (besideMemory === "same" && !early)) return "adopt"
  }
  if (freshness === "Fresh") return besideKnown === "older" ? "ignore" : "remember"
  return freshness === "Stale" && besideKnown === "newer" ? "remember" : "ignore"
}

/**
 * An entry in memory that the larder may only serve if lookups fail, until the arbiter has confirmed
 * it, and the arbiter's answer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Confirmable {
  /** What the arbiter has at the key. */
  readonly stored: "value" | "removal" | "nothing"
  /** The arbiter's version, compared with the one in memory. */
  readonly besideMemory: Order
}

/**
 * Decides what the arbiter's version says about an entry in memory. `confirm`: the entry counts as
 * just read from the arbiter. `drop`: another node has removed it. `read`: the larder reads the tiers,
 * and looks the key up if they have no answer. The absence of a value confirms nothing.
 *
 * **Example**
 *
 * ```ts
 * import { Decision } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.strictEqual(Decision.confirmation({ stored: "value", besideMemory: "same" }), "confirm")
 * assert.strictEqual(Decision.confirmation({ stored: "nothing", besideMemory: "older" }), "read")
 * ```
 *
 * @category decisions
 * @since 0.1.0
 */
export const confirmation = ({
  besideMemory,
  stored,
}: Confirmable): "confirm" | "drop" | "read" => {
  if (stored === "value" && besideMemory === "same") return "confirm"
  return stored === "removal" && besideMemory === "newer" ? "drop" : "read"
}

/**
 * A flight to which no tier has an answer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Unanswered {
  /** A `refresh` asks upstream whatever has happened. */
  readonly force: boolean
  /** A failure of this node is remembered (`failureFor`), and is an answer to the waiting callers. */
  readonly failureKnown: boolean
  /** A lookup of this node, or of another one, failed less than `retryAfterFailure` ago. */
  readonly throttled: boolean
  /** A circuit of upstream is open, and would refuse the lookup. */
  readonly circuitOpen: boolean
  /** Every waiting caller can get a stale value. */
  readonly allHaveStale: boolean
}

/**
 * Decides whether the larder asks upstream. `fail` ends the flight with the known failure, or with
 * that of the open circuit; callers that accept a stale value get that value instead.
 *
 * **Example**
 *
 * ```ts
 * import { Decision } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const flight = {
 *   force: false, failureKnown: false, throttled: true, circuitOpen: false, allHaveStale: false
 * }
 * assert.strictEqual(Decision.beforeLookup(flight), "ask")
 * assert.strictEqual(Decision.beforeLookup({ ...flight, allHaveStale: true }), "fail")
 * ```
 *
 * @category decisions
 * @since 0.1.0
 */
export const beforeLookup = (situation: Unanswered): "ask" | "fail" => {
  const { allHaveStale, circuitOpen, failureKnown, force, throttled } = situation
  if (!force && (failureKnown || (throttled && allHaveStale))) return "fail"
  return circuitOpen && allHaveStale ? "fail" : "ask"
}

const usabilities: ReadonlyArray<Usability> = ["fresh", "due", "revalidate", "error", "missing"]
const either: ReadonlyArray<boolean> = [false, true]
const orders: ReadonlyArray<Order> = ["older", "same", "newer"]

type Values<A> = { readonly [K in keyof A]-?: ReadonlyArray<A[K]> }

/** All combinations of the values of the fields. */
const combinations = <A>(values: Values<A>): ReadonlyArray<A> => {
  let all: ReadonlyArray<Partial<A>> = [{}]
  for (const field in values) {
    all = all.flatMap((one) => values[field].map((value) => ({ ...one, [field]: value })))
  }
  return all as ReadonlyArray<A>
}

/**
 * Every {@link Situation}. Tests iterate over them, and the table in the documentation is generated
 * from them.
 *
 * **Example**
 *
 * ```ts
 * import { Decision } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const served = Decision.situations.filter((each) => Decision.next(each)._tag === "Serve")
 * assert.ok(served.length > 0)
 * ```
 *
 * @category constants
 * @since 0.1.0
 */
export const situations: ReadonlyArray<Situation> = [
  ...combinations<Arrived>({
    trigger: ["arrived"],
    usability: usabilities,
    inFlight: either,
    throttled: either,
    failureKnown: either,
    graceDenied: either,
  }),
  ...combinations<Joined>({
    trigger: ["joined"],
    usability: usabilities,
    onlyLookup: either,
    graceDenied: either,
  }),
  ...combinations<Found>({
    trigger: ["found"],
    usability: usabilities,
    onlyLookup: either,
    graceDenied: either,
    softTimeoutPassed: either,
  }),
  ...combinations<SoftTimeout>({
    trigger: ["softTimeout"],
    usability: usabilities,
    onlyLookup: either,
  }),
  ...combinations<Succeeded>({
    trigger: ["succeeded"],
    newerKnown: ["none", "fresh", "stale"],
    allowStale: either,
    overtaken: either,
    isRetry: either,
    unconfirmed: either,
  }),
  ...combinations<Failed>({
    trigger: ["failed"],
    usability: usabilities,
    isAnswer: either,
    onlyLookup: either,
    graceDenied: either,
    tiersUnread: either,
  }),
]

/**
 * Every {@link Joinable}, for a table or a test of {@link mayJoin}.
 *
 * **Example**
 *
 * ```ts
 * import { Decision } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.ok(Decision.joinables.filter(Decision.mayJoin).every(({ isDetached }) => !isDetached))
 * ```
 *
 * @category constants
 * @since 0.1.0
 */
export const joinables: ReadonlyArray<Joinable> = combinations<Joinable>({
  isDetached: either,
  outcome: ["none", "failure", ...usabilities],
  overtaken: either,
})

/**
 * Every {@link Offer}, for a table or a test of {@link adoption}. The known version is at least the
 * version in memory.
 *
 * **Example**
 *
 * ```ts
 * import { Decision } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const adopted = Decision.offers.filter((offer) => Decision.adoption(offer) === "adopt")
 * assert.ok(adopted.every(({ freshness }) => freshness === "Fresh"))
 * ```
 *
 * @category constants
 * @since 0.1.0
 */
export const offers: ReadonlyArray<Offer> = combinations<Offer>({
  freshness: ["Fresh", "Stale", "Missing"],
  force: either,
  isYoungEnough: either,
  early: either,
  besideMemory: orders,
  besideKnown: orders,
}).filter(
  ({ besideKnown, besideMemory }) => orders.indexOf(besideKnown) <= orders.indexOf(besideMemory),
)

/**
 * Every {@link Confirmable}, for a table or a test of {@link confirmation}.
 *
 * **Example**
 *
 * ```ts
 * import { Decision } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const confirmed = Decision.confirmables.filter((each) => Decision.confirmation(each) === "confirm")
 * assert.ok(confirmed.every(({ stored }) => stored === "value"))
 * ```
 *
 * @category constants
 * @since 0.1.0
 */
export const confirmables: ReadonlyArray<Confirmable> = combinations<Confirmable>({
  stored: ["value", "removal", "nothing"],
  besideMemory: orders,
}).filter(({ besideMemory, stored }) => stored !== "nothing" || besideMemory === "older")

/**
 * Every {@link Unanswered} situation, for a table or a test of {@link beforeLookup}.
 *
 * **Example**
 *
 * ```ts
 * import { Decision } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const forced = Decision.unanswered.filter(({ force }) => force)
 * assert.ok(forced.some((each) => Decision.beforeLookup(each) === "ask"))
 * ```
 *
 * @category constants
 * @since 0.1.0
 */
export const unanswered: ReadonlyArray<Unanswered> = combinations<Unanswered>({
  force: either,
  failureKnown: either,
  throttled: either,
  circuitOpen: either,
  allHaveStale: either,
})
