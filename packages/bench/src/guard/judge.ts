/** Compares figures with their bounds, and words the verdict. */

export interface Bound {
  readonly title: string
  /** `times`: processor time as a multiple of another subject's in the same run. */
  readonly unit: "times" | "bytes"
  readonly atMost: number
}

/** A bound, and the measurement that it bounds. */
export interface Check extends Bound {
  readonly measure: () => Promise<number>
}

/** Makes checks of a unit. */
export const checkIn =
  (unit: Bound["unit"]) =>
  (title: string, atMost: number, measure: Check["measure"]): Check => ({
    title,
    unit,
    atMost,
    measure,
  })

/**
 * The lowest attempt counts: a busy machine disturbs some attempts, but a real slowdown shows in
 * all.
 */
export const isMet = ({ atMost }: Bound, attempts: ReadonlyArray<number>): boolean => {
  const lowest = Math.min(...attempts)
  return Number.isFinite(lowest) && lowest <= atMost
}

const shown = (unit: Bound["unit"], value: number): string =>
  unit === "times" ? `${value.toFixed(2)}x` : `${Math.round(value)} B`

export const told = (name: string, bound: Bound, attempts: ReadonlyArray<number>): string => {
  const { atMost, title, unit } = bound
  const [verdict, failure] = isMet(bound, attempts)
    ? ["ok      ", ""]
    : ["EXCEEDED", ` (${attempts.map((value) => shown(unit, value)).join(", ")})`]
  const lowest = shown(unit, Math.min(...attempts)).padStart(9)
  return `${verdict} ${lowest}  at most ${shown(unit, atMost).padEnd(8)} ${name}: ${title}${failure}`
}
