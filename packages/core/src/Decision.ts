/**
 * The decisions of a larder, as pure functions over small, finite situations; use them to build
 * another cache with the same rules, or to look up what a larder does. The interpreter reads the
 * state, which changes nothing; reduces times, marks, demands and chance to a situation; and
 * carries out the action. Whatever a caller gets is decided here:
 *
 * - {@link next}: what a caller gets when it asks, joins or waits, and when its lookup ends;
 * - {@link mayJoin}: whether a caller may have the result of a running lookup;
 * - {@link adoption}: what becomes of an entry that a tier behind memory has;
 * - {@link beforeLookup}: whether the larder asks upstream at all.
 *
 * @module
 * @category tier authors
 * @since 0.1.0
 */
import type { Freshness } from "./Freshness.ts"

/**
 * What the best known value is good for, for this caller, at this moment.
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
 * What a caller accepts, beyond a value.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReadDemand {
  /**
   * A value that upstream validated before this moment (ms since the Unix epoch) is only good when
   * a lookup fails.
   */
  readonly notBefore: number
  /** Whether the caller accepts a stale value at all. */
  readonly allowStale: boolean
}

/**
 * What an entry of this (judged) freshness is good for under a demand. `storedAt` is in
 * milliseconds since the Unix epoch; `isDue` says that the entry's early refresh is due.
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
): Usability => {
  if (freshness._tag === "Missing") return "missing"
  const tooOld = storedAt < demand.notBefore
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
  /** The failure that is known is one that grace must not hide (`graceFor`). */
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
  /** Only what this lookup brings is an answer, or its failure: `refresh`. */
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
 * The situation of a waiting caller when the lookup has brought a value.
 *
 * @category models
 * @since 0.1.0
 */
export interface Succeeded {
  readonly trigger: "succeeded"
  /** A value is known that is newer by the source's own `revision`, and what it is. */
  readonly newerKnown: "none" | "fresh" | "stale"
  readonly allowStale: boolean
  /** An invalidation of a tag of the value fell between the lookup's begin and the caller's arrival. */
  readonly overtaken: boolean
  /** The caller has waited for a lookup before, which was overtaken. */
  readonly isRetry: boolean
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
  /** The failure is an answer to this caller; that a bulk lookup left the key out is none to a `get`. */
  readonly isAnswer: boolean
  /** The lookup was that of a `refresh`, which asks no tier; a tier may have something for this caller. */
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
 * What the larder does for the caller: the answer of {@link next}.
 *
 * @category models
 * @since 0.1.0
 */
export type Action =
  /** Give the entry as fresh. */
  | { readonly _tag: "Serve"; readonly refresh: boolean }
  /** Give the entry as stale. */
  | { readonly _tag: "ServeStale"; readonly reason: StaleReason; readonly refresh: boolean }
  /** Give what the lookup brought. */
  | { readonly _tag: "ServeResult" }
  /** Give the value that is newer than what the lookup brought. */
  | { readonly _tag: "ServeNewer" }
  /** Wait for the running lookup. */
  | { readonly _tag: "Join" }
  /** Begin a lookup and wait for it. */
  | { readonly _tag: "Begin" }
  /** Give the failure: the remembered one on arrival, else that of the lookup. */
  | { readonly _tag: "Fail" }
  /** Go on waiting. */
  | { readonly _tag: "Wait" }
  /** Ask once more. */
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
  // A refresh in the background would give callers the stale value and the error in turn.
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

/** What is fresh may have been removed since a tier told of it: the caller waits until the tiers are asked again. */
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

const onSuccess = ({ allowStale, isRetry, newerKnown, overtaken }: Succeeded): Action => {
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
 * A flight, as a caller sees it that asks for its key.
 *
 * @category models
 * @since 0.1.0
 */
export interface Joinable {
  /** The key has changed since it began. */
  readonly isDetached: boolean
  /** What it has come to; an outcome is still there while its value is on the way to the tiers. */
  readonly outcome: "none" | "failure" | Usability
  /** An invalidation of a tag of its value has fallen since it began. */
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
 * How a version compares with another; `newer` where there is no other.
 *
 * @category models
 * @since 0.1.0
 */
export type Order = "older" | "same" | "newer"

/**
 * An entry that a tier behind memory has, compared with what the larder knows of its key.
 *
 * @category models
 * @since 0.1.0
 */
export interface Offer {
  /** By time and marks. */
  readonly freshness: Freshness["_tag"]
  /** Whether upstream vouched for it recently enough for every caller that waits. */
  readonly isYoungEnough: boolean
  /** Beside the version in memory. */
  readonly besideMemory: Order
  /** Beside the best version that is known: of memory, and of what other tiers have told. */
  readonly besideKnown: Order
  /** For a `refresh`: what tiers have is no answer. */
  readonly force: boolean
  /** For an early refresh: the key was fresh when it began. */
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
 * Decides what becomes of an entry that a tier has.
 *
 * **Details**
 *
 * An answer is fresh, young enough for every waiting caller, and not older than the entry in
 * memory. An early refresh began because the entry in memory nears its end: the same version again
 * is no answer to it. A fresh entry of the known version is remembered, because the tier has
 * confirmed it.
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
 * A flight for which no tier has an answer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Unanswered {
  /** A `refresh` asks upstream whatever has happened. */
  readonly force: boolean
  /** A failure of this node is remembered (`failureFor`), and is an answer to those who wait. */
  readonly failureKnown: boolean
  /** A lookup of this node, or of another one, failed less than `retryAfterFailure` ago. */
  readonly throttled: boolean
  /** A circuit of upstream is open, and would refuse the lookup. */
  readonly circuitOpen: boolean
  /** Every caller that waits can be given something stale. */
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

/** Each combination of values of the fields. */
const combinations = <A>(values: Values<A>): ReadonlyArray<A> => {
  let all: ReadonlyArray<Partial<A>> = [{}]
  for (const field in values) {
    all = all.flatMap((one) => values[field].map((value) => ({ ...one, [field]: value })))
  }
  return all as ReadonlyArray<A>
}

/**
 * Every {@link Situation} there is. Tests walk through it, and the table in the documentation is
 * made of it.
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
 * Every {@link Joinable} there is, for a table or a test of {@link mayJoin}.
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
 * Every {@link Offer} there is, for a table or a test of {@link adoption}. The known version is at
 * least the version in memory.
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
 * Every {@link Unanswered} situation there is, for a table or a test of {@link beforeLookup}.
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
