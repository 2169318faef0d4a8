/**
 * What a larder does next, as one pure function over a small, finite situation.
 * The interpreter reduces times, marks, demands and chance to the situation and
 * carries the action out; nothing is decided anywhere else.
 */
import type { Freshness } from "./Freshness.ts"

/**
 * What the entry at hand is good for, for this caller, at this moment.
 *
 * - `fresh`: to be given.
 * - `due`: to be given, and its early refresh has come.
 * - `revalidate`: to be given at once while a refresh runs.
 * - `error`: to be given only if a lookup fails or is too slow.
 * - `missing`: nothing is there that this caller may have.
 */
export type Standing = "fresh" | "due" | "revalidate" | "error" | "missing"

/** What has happened to the caller. */
export type Happening =
  /** It has just asked. */
  | "arrived"
  /** It has waited for `softTimeout`. */
  | "softTimeout"
  /** The lookup it waited for brought no value. */
  | "failed"

export interface Situation {
  readonly happening: Happening
  readonly standing: Standing
  /** A lookup of the key is running that the caller may join. */
  readonly inFlight: boolean
  /** A refresh failed less than `retryAfterFailure` ago. */
  readonly throttled: boolean
  /** A failure of this key is remembered (`failureFor`). */
  readonly failureKnown: boolean
  /** The failure that is known, or that has just come, is one that grace must not hide (`graceFor`). */
  readonly graceDenied: boolean
}

export type StaleReason = "revalidating" | "failed" | "softTimeout"

export type Action =
  /** Give the entry as fresh. */
  | { readonly _tag: "Serve"; readonly refresh: boolean }
  /** Give the entry as stale. */
  | { readonly _tag: "ServeStale"; readonly reason: StaleReason; readonly refresh: boolean }
  /** Wait for the running lookup. */
  | { readonly _tag: "Join" }
  /** Begin a lookup and wait for it. */
  | { readonly _tag: "Begin" }
  /** Give the failure: the remembered one on arrival, else that of the lookup. */
  | { readonly _tag: "Fail" }
  /** Go on waiting. */
  | { readonly _tag: "Wait" }

const serve: Action = { _tag: "Serve", refresh: false }
const serveAndRefresh: Action = { _tag: "Serve", refresh: true }
const revalidating: Action = { _tag: "ServeStale", reason: "revalidating", refresh: false }
const revalidate: Action = { _tag: "ServeStale", reason: "revalidating", refresh: true }
const staleAfterFailure: Action = { _tag: "ServeStale", reason: "failed", refresh: false }
const staleAfterSoftTimeout: Action = { _tag: "ServeStale", reason: "softTimeout", refresh: false }
const join: Action = { _tag: "Join" }
const begin: Action = { _tag: "Begin" }
const fail: Action = { _tag: "Fail" }
const wait: Action = { _tag: "Wait" }

const onArrival = (situation: Situation): Action => {
  const { failureKnown, graceDenied, inFlight, standing } = situation
  const insteadOfLookup = graceDenied ? fail : staleAfterFailure
  // A refresh in the background would give callers the stale value and the error in turn.
  const waits = graceDenied && standing === "revalidate" ? "error" : standing
  const heldBack = situation.throttled || failureKnown
  switch (waits) {
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

/**
 * The next action. Total: every situation has one.
 *
 * **Example**
 *
 * ```ts
 * import { Decision } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const action = Decision.next({
 *   happening: "arrived", standing: "revalidate", inFlight: false,
 *   throttled: false, failureKnown: false, graceDenied: false
 * })
 * assert.deepStrictEqual(action, { _tag: "ServeStale", reason: "revalidating", refresh: true })
 * ```
 */
export const next = (situation: Situation): Action => {
  switch (situation.happening) {
    case "arrived":
      return onArrival(situation)
    case "softTimeout":
      return situation.standing === "missing" ? wait : staleAfterSoftTimeout
    case "failed":
      return onFailure(situation)
  }
}

const onFailure = ({ graceDenied, standing }: Situation): Action => {
  switch (standing) {
    case "fresh":
    case "due":
      return staleAfterFailure
    case "revalidate":
    case "error":
      return graceDenied ? fail : staleAfterFailure
    case "missing":
      return fail
  }
}

/** What a caller asks for beyond a value. */
export interface Demand {
  /** A value that upstream vouched for before this moment (ms) is only good when a lookup fails. */
  readonly notBefore: number
  /** Whether grace may be used at all. */
  readonly allowStale: boolean
}

/**
 * What an entry of this (judged) freshness, stored at `storedAt`, is good for
 * under a demand. `due` says that its early refresh has come.
 */
export const standing = (
  freshness: Freshness,
  storedAt: number,
  due: boolean,
  demand: Demand,
): Standing => {
  if (freshness._tag === "Missing") return "missing"
  const tooOld = storedAt < demand.notBefore
  if (freshness._tag === "Fresh" && !tooOld) return due ? "due" : "fresh"
  if (!demand.allowStale) return "missing"
  return freshness._tag === "Stale" && freshness.grace === "revalidate" && !tooOld
    ? "revalidate"
    : "error"
}

const happenings: ReadonlyArray<Happening> = ["arrived", "softTimeout", "failed"]
const standings: ReadonlyArray<Standing> = ["fresh", "due", "revalidate", "error", "missing"]
const either: ReadonlyArray<boolean> = [false, true]

/** Every situation there is: what the tests go through and the documentation's table is made of. */
export const situations: ReadonlyArray<Situation> = happenings.flatMap((happening) =>
  standings.flatMap((standing) =>
    either.flatMap((inFlight) =>
      either.flatMap((throttled) =>
        either.flatMap((failureKnown) =>
          either.map((graceDenied) => ({
            happening,
            standing,
            inFlight,
            throttled,
            failureKnown,
            graceDenied,
          })),
        ),
      ),
    ),
  ),
)
