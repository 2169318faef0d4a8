/** The detectors: how many times its threshold each figure is, and what to do about it. */
import type { AnomalyKind } from "../../LarderEvent.ts"
import { hitRatioOf, missesIn, share, type Window } from "./countWindow.ts"

/** What a detector sees in a window. */
export interface Finding {
  /** Above 1 the window is an anomaly's; under 0.5 it speaks for its end. */
  readonly score: number
  readonly figures: Readonly<Record<string, number>>
}

/** What detectors know besides the window. */
export interface Context {
  /** The callers of one lookup that are no stampede yet. */
  readonly stampedeCallers: number
  /** The hit ratio before the cold start; undefined for none. */
  readonly steadyHitRatio: number | undefined
  /** The hit ratio of the last minutes, this window included. */
  readonly recentHitRatio: number
  readonly isColdRaised: boolean
  /** Lookups since the cold start. */
  readonly coldLookups: number
}

/** Times the threshold, of a figure that should be under it. */
const above = (figure: number, threshold: number): number => figure / threshold

/** Times the threshold, of a figure that should be over it. */
const below = (figure: number, threshold: number): number =>
  figure === 0 ? Infinity : threshold / figure

/**
 * Of keys that never repeat, memory counts up to half as evicted: the sketch of frequencies, of four bits a
 * key, takes some for others. Of a working set that is too large, it remembers most.
 */
const leastNewShare = 0.4

const keyPollution = (window: Window): Finding => {
  const newShare = share(window.missesByCause.new, missesIn(window))
  const hitRatio = hitRatioOf(window) ?? 0
  const unreadShare = share(window.evictionsUnread, window.evictions)
  const score = Math.min(
    above(newShare, leastNewShare),
    below(hitRatio, 0.05),
    above(unreadShare, 0.9),
  )
  return { score, figures: { newShare, hitRatio, unreadShare } }
}

const ttlTooShort = (window: Window, { recentHitRatio }: Context): Finding => {
  const expiredShare = share(window.missesByCause.expired, missesIn(window))
  // Values that were looked up together expire together: a window of their lookups is no trouble.
  const hitRatio = Math.max(recentHitRatio, hitRatioOf(window) ?? 0)
  const sameShare = share(window.notModified + window.sameRevision, window.lookups)
  const expires = Math.min(above(expiredShare, 0.5), below(hitRatio, 0.3))
  const score = Math.max(expires, above(sameShare, 0.9))
  return { score, figures: { expiredShare, hitRatio, sameShare } }
}

const stampede = (window: Window, { stampedeCallers }: Context): Finding => {
  const { mostCallers, mostLookups } = window
  // One lookup of a key is what should be.
  const besides = mostLookups > 1 ? mostLookups : 0
  const score = Math.max(above(mostCallers, stampedeCallers), besides)
  return { score, figures: { callers: mostCallers, lookups: mostLookups } }
}

/** Seconds after a cold start in which an anomaly may be raised. */
export const coldStartSeconds = 300
/** Seconds after which the hit ratio counts as what the traffic allows. */
const coldForGoodSeconds = 3_600

const coldStart = (window: Window, context: Context): Finding => {
  const { coldLookups, isColdRaised, steadyHitRatio } = context
  const hitRatio = hitRatioOf(window) ?? 0
  if (steadyHitRatio === undefined || steadyHitRatio === 0) return { score: 0, figures: {} }
  const seconds = window.coldSeconds
  const isCold = seconds <= (isColdRaised ? coldForGoodSeconds : coldStartSeconds)
  // Half of the steady hit ratio is gone: once the threshold. A quarter: half of it.
  const score = isCold ? above(1 - hitRatio / steadyHitRatio, 0.5) : 0
  return { score, figures: { hitRatio, steadyHitRatio, seconds, lookups: coldLookups } }
}

/** Under this share of answers, early refreshes are no load, however few other lookups there are. */
const noticeableRefreshes = 0.01

const earlyRefreshOverload = (window: Window): Finding => {
  const { answers, backgroundShed, earlyRefreshes, lookups } = window
  const answersShare = share(earlyRefreshes, answers)
  const lookupsShare = share(earlyRefreshes, lookups)
  const ofLookups = Math.min(above(lookupsShare, 0.5), above(answersShare, noticeableRefreshes))
  const shed = earlyRefreshes > 0 && backgroundShed > 0 ? 2 : 0
  const score = Math.max(above(answersShare, 0.05), ofLookups, shed)
  return { score, figures: { answersShare, lookupsShare, shed: backgroundShed } }
}

/** Every detector, in the order in which their changes are told. */
export const detectors: Readonly<
  Record<AnomalyKind, (window: Window, context: Context) => Finding>
> = { keyPollution, ttlTooShort, stampede, coldStart, earlyRefreshOverload }

const advice: Readonly<Record<AnomalyKind, string>> = {
  keyPollution:
    "The key holds something that changes with each call (a time, a nonce, an unsorted list). Build it from stable inputs.",
  ttlTooShort:
    "Values change more rarely than they expire: freshFor should be at least the median of the time between reads of a key, better well above it.",
  stampede: "Turn early refresh on; give stale-while-revalidate; check that the arbiter answers.",
  coldStart:
    "Warm the hot keys before traffic; use a tier that survives restarts; bound lookups with withConcurrency.",
  earlyRefreshOverload: "Lower beta or maxFraction; bound background lookups.",
}

/** The most keys that an advice names. */
const shownSamples = 3

/** What to do; for polluted keys with some of them. */
export const adviceOf = (kind: AnomalyKind, { samples }: Window): string =>
  kind === "keyPollution" && samples.length > 0
    ? `${advice[kind]} Such keys: ${samples.slice(0, shownSamples).join(", ")}.`
    : advice[kind]
