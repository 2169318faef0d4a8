/** Compares figures with their bounds, and words the verdict. */

export interface Bound {
  readonly title: string
  /** `times`: processor time as a multiple of another subject's in the same run. */
  readonly unit: "times" | "bytes"
  readonly atMost: number
}

export interface Verdict {
  readonly lowest: number
  readonly met: boolean
}

/**
 * The lowest attempt counts: a busy machine disturbs some attempts, but a real slowdown shows in
 * all.
 */
export const judge = ({ atMost }: Bound, attempts: ReadonlyArray<number>): Verdict => {
  const lowest = Math.min(...attempts)
  return { lowest, met: Number.isFinite(lowest) && lowest <= atMost }
}

const shown = (unit: Bound["unit"], value: number): string =>
  unit === "times" ? `${value.toFixed(2)}x` : `${Math.round(value)} B`

export const told = (name: string, bound: Bound, attempts: ReadonlyArray<number>): string => {
  const { atMost, title, unit } = bound
  const { lowest, met } = judge(bound, attempts)
  const figures = `${shown(unit, lowest).padStart(9)}  at most ${shown(unit, atMost).padEnd(8)}`
  const failure = ` (${attempts.map((value) => shown(unit, value)).join(", ")})`
  return `${met ? "ok      " : "EXCEEDED"} ${figures} ${name}: ${title}${met ? "" : failure}`
}
