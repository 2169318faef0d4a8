/** The parts of the run, in order, and how the catalogue behaves in each. */
import { Schema } from "effect"

export const phases = [
  "cold",
  "steady",
  "flaky",
  "slow",
  "outage",
  "recovery",
  "restart",
  "price change",
] as const

export const Phase = Schema.Literals(phases)
export type Phase = typeof Phase.Type

/** The ways in which the catalogue fails to answer. */
export type Fault =
  | "server error"
  | "cut-off body"
  | "wrong shape"
  | "unavailable"
  | "connection cut"
  | "hangs"

/**
 * How the catalogue behaves: latency in milliseconds, and the share of requests with each fault.
 */
export interface Mood {
  readonly latency: readonly [least: number, most: number]
  readonly faults: ReadonlyArray<readonly [fault: Fault, share: number]>
}

const healthy: Mood = { latency: [15, 60], faults: [] }

const moods: Readonly<Record<Phase, Mood>> = {
  cold: healthy,
  steady: healthy,
  // One request in four fails; some failures look like a success until the body is read.
  flaky: {
    latency: [15, 60],
    faults: [
      ["server error", 0.15],
      ["cut-off body", 0.05],
      ["wrong shape", 0.05],
    ],
  },
  slow: { latency: [400, 1_200], faults: [] },
  outage: {
    latency: [1, 5],
    faults: [
      ["unavailable", 0.75],
      ["connection cut", 0.15],
      ["hangs", 0.1],
    ],
  },
  recovery: healthy,
  // The shops restart, not the catalogue: a new version is rolled out.
  restart: healthy,
  "price change": healthy,
}

/** The latency and the fault of one request. */
export interface Fate {
  readonly afterMillis: number
  readonly fault: Fault | undefined
}

/** Decides a request's fate from two numbers drawn from [0, 1). */
export const fate = (phase: Phase, latencyDraw: number, faultDraw: number): Fate => {
  const { faults, latency } = moods[phase]
  let below = 0
  const met = faults.find(([, share]) => {
    below += share
    return faultDraw < below
  })
  return {
    afterMillis: latency[0] + (latency[1] - latency[0]) * latencyDraw,
    fault: met?.[0],
  }
}

/** The number of the current price list: the last phase has a new one. */
export const priceListOf = (phase: Phase): number => (phase === "price change" ? 2 : 1)
