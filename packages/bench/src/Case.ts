/** What is measured, as data: add a case here, and a library in `contenders/`. */
import type { ContenderName } from "./contenders/registry.ts"
import type { Shape } from "./Contender.ts"
import type { Draw } from "./draw.ts"
import type { Latency } from "./source.ts"

export interface Variant {
  readonly name: string
  readonly draw: Draw
  readonly latency: Latency
}

export interface Case {
  readonly name: string
  readonly title: string
  readonly shape: Shape
  readonly variants: ReadonlyArray<Variant>
  /** Run in this order in every round. */
  readonly contenders: ReadonlyArray<ContenderName>
  /** Whom the others are compared with. */
  readonly baseline: ContenderName
  /** The ratio of medians that the contender has to stay at or below. */
  readonly goal: { readonly contender: ContenderName; readonly ratio: number }
  /** Calls in one sample. */
  readonly calls: number
  /** `ns`: nanoseconds a call. `ms`: milliseconds for all calls of a sample together. */
  readonly unit: "ns" | "ms"
  /** How long a round takes samples for, warm-up not counted. */
  readonly seconds: number
}

/** Keys that every case draws from, and the entries that every memory may hold. */
export const keyCount = 10_000
export const maxEntries = 50_000

const hits: ReadonlyArray<Variant> = [
  { name: "zipf", draw: "zipf", latency: "none" },
  { name: "uniform", draw: "uniform", latency: "none" },
]

export const cases: ReadonlyArray<Case> = [
  {
    name: "hit",
    title: "memory hit inside a fiber, ns a hit",
    shape: "fiber",
    variants: hits,
    contenders: ["larder", "effect"],
    baseline: "effect",
    goal: { contender: "larder", ratio: 0.75 },
    calls: 10_000,
    unit: "ns",
    seconds: 1,
  },
  {
    name: "runPromise",
    title: "memory hit by one Effect.runPromise each, ns a hit",
    shape: "promise",
    variants: hits,
    contenders: ["larder", "effect"],
    baseline: "effect",
    goal: { contender: "larder", ratio: 0.9 },
    calls: 10_000,
    unit: "ns",
    seconds: 1,
  },
  {
    name: "stampede",
    title: "10,000 concurrent callers of one cold key, one lookup, ms for all",
    shape: "stampede",
    variants: [
      { name: "turn", draw: "cold", latency: "turn" },
      { name: "5 ms", draw: "cold", latency: 5 },
    ],
    contenders: ["larder", "effect"],
    baseline: "effect",
    goal: { contender: "larder", ratio: 1.1 },
    calls: 10_000,
    unit: "ms",
    seconds: 3,
  },
]

export const findCase = (name: string): Case | undefined =>
  cases.find((candidate) => candidate.name === name)
