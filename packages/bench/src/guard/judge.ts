/** What was measured against its bound, and how that is told. */

export interface Bound {
  readonly title: string
  /** `times`: processor time as a multiple of another's in the same run. */
  readonly unit: "times" | "bytes"
  readonly atMost: number
}

export interface Verdict {
  readonly lowest: number
  readonly met: boolean
}

/**
 * The lowest of the attempts counts: what a busy machine does to one of them it
 * does not do to all, and what became slower is slower in all.
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
