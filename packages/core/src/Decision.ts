/**
 * What a larder does next, as pure functions over small, finite situations. The
 * interpreter looks at the state, which changes nothing; reduces times, marks, demands
 * and chance to a situation; and carries the answer out. Nothing that a caller gets is
 * decided anywhere else:
 *
 * - {@link next}: what a caller gets, when it asks, joins, waits, and when its lookup ends;
 * - {@link mayJoin}: whether it may have the result of a lookup that runs;
 * - {@link adoption}: what becomes of an entry that a tier behind memory has;
 * - {@link beforeLookup}: whether upstream is asked at all.
 */
import type { Freshness } from "./Freshness.ts"

/**
 * What the best value that is known is good for, for this caller, at this moment.
 *
 * - `fresh`: to be given.
 * - `due`: to be given, and its early refresh has come.
 * - `revalidate`: to be given at once while a refresh runs.
 * - `error`: to be given only if a lookup fails or is too slow.
 * - `missing`: there is none that this caller may have.
 */
export type Usability = "fresh" | "due" | "revalidate" | "error" | "missing"

/** What a caller asks for beyond a value. */
export interface ReadDemand {
  /** A value that upstream vouched for before this moment (ms) is only good when a lookup fails. */
  readonly notBefore: number
  /** Whether grace may be used at all. */
  readonly allowStale: boolean
}

/**
 * What an entry of this (judged) freshness, stored at `storedAt`, is good for
 * under a demand. `isDue` says that its early refresh has come.
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

/** A caller asks. */
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

/** A caller has joined a lookup that runs. */
export interface Joined {
  readonly trigger: "joined"
  readonly usability: Usability
  readonly graceDenied: boolean
  /** Only what this lookup brings is an answer, or its failure: `refresh`. */
  readonly onlyLookup: boolean
}

/** A tier behind memory has told what it has, while the caller waits. */
export interface Found {
  readonly trigger: "found"
  readonly usability: Usability
  readonly graceDenied: boolean
  readonly onlyLookup: boolean
  /** The caller has waited for `softTimeout`. */
  readonly softTimeoutPassed: boolean
}

/** The caller has waited for `softTimeout`. */
export interface SoftTimeout {
  readonly trigger: "softTimeout"
  readonly usability: Usability
  readonly onlyLookup: boolean
}

/** The lookup brought a value. */
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

/** The lookup failed, or the caller has waited for as long as it may. */
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

export type Situation = Arrived | Joined | Found | SoftTimeout | Succeeded | Failed

/** What has happened to the caller. */
export type Trigger = Situation["trigger"]

export type StaleReason = "revalidating" | "failed" | "softTimeout"

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
 * The next action for a caller. Total: every situation has one.
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

/** A flight, as a caller sees it that asks for its key. */
export interface Joinable {
  /** The key has changed since it began. */
  readonly isDetached: boolean
  /** What it has come to; an outcome is still there while its value is on the way to the tiers. */
  readonly outcome: "none" | "failure" | Usability
  /** An invalidation of a tag of its value has fallen since it began. */
  readonly overtaken: boolean
}

/** Whether the result of a flight is good for a caller that asks now. */
export const mayJoin = ({ isDetached, outcome, overtaken }: Joinable): boolean => {
  if (isDetached) return false
  if (outcome === "none") return true
  return (outcome === "fresh" || outcome === "revalidate") && !overtaken
}

/** How a version stands to another one; `newer` where there is no other. */
export type Order = "older" | "same" | "newer"

/** An entry that a tier behind memory has, beside what is known of its key. */
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

/** `adopt`: it is the answer. `remember`: it may be given while the lookup runs, or if it fails. */
export type Adoption = "adopt" | "remember" | "ignore"

/**
 * What becomes of an entry that a tier has. The answer is fresh, young enough for
 * those who wait, and nothing older than memory has; an early refresh began because
 * what memory has is nearing its end, so that the same version again is no answer to
 * that. A fresh one of the version that is known is remembered: the tier has confirmed it.
 */
export const adoption = (offer: Offer): Adoption => {
  const { besideKnown, besideMemory, early, force, freshness, isYoungEnough } = offer
  if (freshness === "Fresh" && !force && isYoungEnough) {
    if (besideMemory === "newer" || (besideMemory === "same" && !early)) return "adopt"
  }
  if (freshness === "Fresh") return besideKnown === "older" ? "ignore" : "remember"
  return freshness === "Stale" && besideKnown === "newer" ? "remember" : "ignore"
}

/** A flight for which no tier has an answer. */
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
 * Whether upstream is asked. `fail` ends the flight with the failure that is known, or
 * with that of the circuit; callers that can be given something stale get that.
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

/** Every situation of a caller that there is: what the tests go through and the documentation's table is made of. */
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

/** As {@link situations}, of {@link mayJoin}. */
export const joinables: ReadonlyArray<Joinable> = combinations<Joinable>({
  isDetached: either,
  outcome: ["none", "failure", ...usabilities],
  overtaken: either,
})

/** As {@link situations}, of {@link adoption}. What is known is at least what memory has. */
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

/** As {@link situations}, of {@link beforeLookup}. */
export const unanswered: ReadonlyArray<Unanswered> = combinations<Unanswered>({
  force: either,
  failureKnown: either,
  throttled: either,
  circuitOpen: either,
  allHaveStale: either,
})
