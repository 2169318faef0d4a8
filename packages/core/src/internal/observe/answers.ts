/** Counts how calls end, and tells listeners. Each call ends once: in one event, and in one count. */
import type { FailedReason, MissCause, StaleReason } from "../../LarderEvent.ts"
import { noOutcomes, noSource } from "./counters.ts"
import type { Observer } from "./eventHub.ts"

/** For how long a call has waited, ms; undefined for an answer at once. */
type Waited = number | undefined

/** A fresh value of memory, at once; see `hit` in `read/fastPath.ts` for the plain hit. `age`: of the value, ms. */
export const hit = (observer: Observer, key: string, tier: string, age: number): void => {
  observer.counters.hits += 1
  observer.measures.ages.record(age)
  if (observer.hitListeners !== 0) observer.tellHit(key, tier)
}

/** A fresh value, after a wait. */
export const answered = (
  observer: Observer,
  key: string,
  tier: string,
  age: number,
  waited: number,
): void => {
  outcomes(observer, tier).fresh += 1
  observer.measures.ages.record(age)
  measured(observer, tier, waited)
  if (observer.listeners === 0) return
  observer.tell({ _tag: "Answered", key, tier, millis: whole(waited) })
}

export const staleServed = (
  observer: Observer,
  key: string,
  reason: StaleReason,
  tier: string,
  age: number,
  waited: Waited,
): void => {
  outcomes(observer, tier).stale += 1
  observer.counters.staleAnswers[reason] += 1
  observer.measures.ages.record(age)
  measured(observer, tier, waited)
  if (observer.listeners === 0) return
  observer.tell({ _tag: "StaleServed", key, reason, tier, age, millis: whole(waited) })
}

export const failed = (
  observer: Observer,
  key: string,
  reason: FailedReason,
  waited: Waited,
): void => {
  outcomes(observer, noSource).failed += 1
  observer.counters.failedAnswers[reason] += 1
  measured(observer, noSource, waited)
  if (reason === "closed") observer.onClosedAnswer()
  if (observer.listeners === 0) return
  observer.tell({ _tag: "Failed", key, reason, millis: whole(waited) })
}

/** The caller was interrupted. */
export const left = (observer: Observer, key: string, waited: number): void => {
  observer.counters.abandoned += 1
  if (observer.listeners === 0) return
  observer.tell({ _tag: "Left", key, millis: whole(waited) })
}

/** Memory could not answer. The call ends later, once more in one of the above. */
export const missed = (
  observer: Observer,
  key: string,
  cause: MissCause,
  isJoining: boolean,
): void => {
  observer.counters.missesByCause[cause] += 1
  if (isJoining) observer.counters.coalesced += 1
  if (observer.listeners === 0) return
  observer.tell({ _tag: isJoining ? "Coalesced" : "Miss", key, cause })
}

const outcomes = ({ counters: { waited } }: Observer, source: string) =>
  (waited[source] ??= noOutcomes())

const measured = ({ measures }: Observer, source: string, waited: Waited): void => {
  if (waited !== undefined) measures.waitsFor(source).record(Math.max(0, waited) / 1_000)
}

/** Whole milliseconds, as all of an event. */
const whole = (millis: number = 0): number => Math.max(0, Math.round(millis))
