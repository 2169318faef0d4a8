/** The result of all histories: each law, and in how many histories it was broken. */
import { type Law, laws } from "../check/Violation.ts"
import { type Figures, type Judged, nothing } from "../run/judge.ts"

export interface Summary {
  readonly histories: number
  readonly figures: Figures
  /** By law, the seeds of the histories that break it. */
  readonly broken: ReadonlyMap<Law, ReadonlyArray<number>>
  /** ms of real time. */
  readonly took: number
}

const sum = (one: Figures, other: Figures): Figures => ({
  calls: one.calls + other.calls,
  lookups: one.lookups + other.lookups,
  messages: one.messages + other.messages,
  faults: one.faults + other.faults,
  millis: one.millis + other.millis,
})

export const summary = (all: ReadonlyArray<Judged>, took: number): Summary => {
  const broken = new Map<Law, ReadonlyArray<number>>()
  for (const { seed, violations } of all) {
    for (const law of new Set(violations.map((one) => one.law))) {
      broken.set(law, [...(broken.get(law) ?? []), seed])
    }
  }
  const figures = all.reduce((total, one) => sum(total, one.figures), nothing)
  return { histories: all.length, figures, broken, took }
}

const grouped = (count: number): string => Math.round(count).toLocaleString("en-US")

export const table = ({ broken, figures, histories, took }: Summary): string => {
  const rows = Object.entries(laws).map(([law, text]) => {
    const seeds = broken.get(law as Law) ?? []
    const shown = seeds.length === 0 ? "" : `  seeds ${seeds.slice(0, 5).join(", ")}`
    return `  ${text.padEnd(48)}${grouped(histories).padStart(10)}${grouped(seeds.length).padStart(8)}${shown}`
  })
  const head = `  ${"law".padEnd(48)}${"histories".padStart(10)}${"broken".padStart(8)}`
  const seconds = took / 1_000
  const totals = [
    `${grouped(figures.calls)} calls`,
    `${grouped(figures.lookups)} lookups`,
    `${grouped(figures.messages)} messages`,
    `${grouped(figures.faults)} faults`,
    `${(figures.millis / 3_600_000).toFixed(1)} simulated hours`,
  ]
  return [
    head,
    ...rows,
    "",
    `${totals.join(", ")} in ${seconds.toFixed(1)} s (${grouped(histories / seconds)} histories/s)`,
  ].join("\n")
}

/** One line for a machine. */
export const json = ({ broken, figures, histories, took }: Summary): string =>
  JSON.stringify({
    histories,
    ...figures,
    tookMillis: Math.round(took),
    broken: Object.fromEntries(broken),
  })
