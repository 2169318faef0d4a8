/** How each bound is measured. */
import * as allocation from "./allocation.ts"
import type { CheckName } from "./bounds.ts"
import * as counts from "./counts.ts"
import * as ratios from "./ratios.ts"

const count =
  (measure: () => Promise<counts.Counts>, what: keyof counts.Counts) => async (): Promise<number> =>
    (await measure())[what]

export const checks: Readonly<Record<CheckName, () => Promise<number>>> = {
  hit: ratios.hit,
  hitByPromise: ratios.hitByPromise,
  hitHeard: ratios.hitHeard,
  many: ratios.many,
  staleHit: ratios.staleHit,
  miss: ratios.miss,
  missWhenFull: ratios.missWhenFull,
  stampede: ratios.stampeded,
  tagDrop: ratios.tagDrop,
  hitBytes: allocation.hit,
  staleHitBytes: allocation.staleHit,
  manyBytes: allocation.many,
  missBytes: allocation.miss,
  churnBytes: allocation.churn,
  hitForks: count(counts.hit, "forks"),
  hitReadings: count(counts.hit, "readings"),
  hitMonotonic: count(counts.hit, "monotonic"),
  hitDraws: count(counts.hit, "draws"),
  staleHitForks: count(counts.staleHit, "forks"),
  staleHitUnderWayForks: count(counts.staleHitUnderWay, "forks"),
  manyForks: count(counts.many, "forks"),
  manyReadings: count(counts.many, "readings"),
  missForks: count(counts.miss, "forks"),
  missSleeps: count(counts.miss, "sleeps"),
}
