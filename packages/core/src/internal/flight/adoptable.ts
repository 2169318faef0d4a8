/** Whether what a farther tier has is an answer. */
import type { Freshness } from "../../Freshness.ts"

export interface AdoptionCandidate {
  /** By time and marks. */
  readonly freshness: Freshness
  readonly version: number
  readonly storedAt: number
  /** The version that memory has; undefined for none. */
  readonly inMemory: number | undefined
}

/**
 * Fresh, young enough for those who wait, and nothing older than memory has. An
 * early refresh began because what memory has is nearing its end: the same
 * version again is no answer to that.
 */
export const isAdoptable = (
  candidate: AdoptionCandidate,
  flight: { readonly early: boolean; readonly force: boolean; readonly notBefore: number },
): boolean => {
  const { freshness, inMemory = -1, storedAt, version } = candidate
  if (flight.force || freshness._tag !== "Fresh" || storedAt < flight.notBefore) return false
  return flight.early ? version > inMemory : version >= inMemory
}

/**
 * Whether it is the best so far that could be given while the lookup runs, or if it
 * fails. A fresh one of the version that is known is: the tier has confirmed it.
 */
export const isBetterStale = (candidate: AdoptionCandidate, best: number | undefined): boolean => {
  const { freshness, inMemory = -1, version } = candidate
  const known = Math.max(best ?? -1, inMemory)
  return freshness._tag === "Fresh"
    ? version >= known
    : freshness._tag === "Stale" && version > known
}
