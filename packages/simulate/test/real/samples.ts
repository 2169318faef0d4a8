/** Plans whose outcome real servers repeat, whatever the machine does. */
import type { FaultKind } from "../../src/plan/faults.ts"
import { generate, otherReleases } from "../../src/plan/generate.ts"
import {
  type Config,
  keysOf,
  type Plan,
  plainRelease,
  type Release,
  type Step,
  usualTimes,
} from "../../src/plan/Plan.ts"

/** The kinds of faults that a real server plays at a chosen step. */
export const faults: ReadonlyArray<FaultKind> = [
  "clock",
  "restart",
  "flush",
  "failover",
  "upstream",
]

const stepsPerPlan = 30

/**
 * The times are so many times as long as in a plan of the simulator, and waits take no time: whatever the
 * machine does, no time is over before the plan ends. Clocks that jump, `expire` and marks end freshness.
 */
const slower = 300

const slowed = (config: Config): Config => ({
  ...config,
  freshFor: slower * config.freshFor,
  staleWhileRevalidate: slower * config.staleWhileRevalidate,
  staleIfError: slower * config.staleIfError,
  softTimeout: config.softTimeout && slower * config.softTimeout,
  hardTimeout: slower * config.hardTimeout,
  maxFreshFor: config.maxFreshFor && slower * config.maxFreshFor,
  leaseTime: slower * config.leaseTime,
  times: {
    leaseWait: slower * usualTimes.leaseWait,
    retryAfterFailure: slower * usualTimes.retryAfterFailure,
    markMaxAge: slower * usualTimes.markMaxAge,
  },
})

/**
 * The effect of a writer takes milliseconds, and real servers answer updates in an order of their own: a plain
 * change takes its place.
 */
const plainly = (step: Step): Step => {
  switch (step._tag) {
    case "around":
      return { _tag: "remove", node: step.node, key: step.key }
    case "through":
    case "update":
    case "setIfPresent":
      return { _tag: "set", node: step.node, key: step.key }
    case "count":
    case "lease":
    case "transaction":
      return { _tag: "wait", millis: 1 }
    default:
      return step
  }
}

const slowedStep = (step: Step): Step =>
  step._tag === "get" && step.maxAge !== undefined
    ? { ...step, maxAge: slower * step.maxAge }
    : step

/** A lookup that ends by its deadline alone would end after the plan. */
const ending = (step: Step): Step =>
  step._tag === "upstream" && (step.behaviour === "hangs" || step.behaviour === "disobeys")
    ? { ...step, behaviour: "fails" }
    : step

/** In the end every node reads and gets every key. */
const finalSteps = (config: Config): ReadonlyArray<Step> => {
  const nodes = Array.from({ length: config.nodes }, (_, node) => node)
  const asks = (["read", "getWithMeta"] as const).flatMap((_tag) =>
    nodes.flatMap((node) => keysOf(config).map((key): Step => ({ _tag, node, key }))),
  )
  return [{ _tag: "upstream", behaviour: "answers", millis: 0 }, ...asks]
}

/** Every fourth plan has two releases, and each node that begins again takes the next one. */
const releasesOf = (seed: number): ReadonlyArray<Release> => {
  const other = otherReleases[seed % otherReleases.length]!
  return [plainRelease, seed % 4 === 3 ? other : plainRelease, plainRelease]
}

const released = (releases: ReadonlyArray<Release>, step: Step, place: number): Step =>
  step._tag === "restart" ? { ...step, release: releases[place % 2]! } : step

export const sample = (seed: number, { file }: { readonly file: boolean }): Plan => {
  const nodes = 2 + (seed % 2)
  const plan = generate(seed, { nodes, steps: stepsPerPlan, faults })
  const { keys } = plan.config
  const releases = releasesOf(seed)
  const config: Config = {
    ...slowed(plan.config),
    replicaLag: 0,
    releases,
    file,
    keys: Math.min(keys, 3),
    // Which entries memory evicts depends on seeds of its own.
    maxEntries: 10_000,
    latency: 0,
  }
  const steps = plan.steps.map((step, place) =>
    within(config, ending(slowedStep(released(releases, plainly(step), place)))),
  )
  return { config, steps: [...steps, ...finalSteps(config)] }
}

/** The step with the keys that there are. */
const within = (config: Config, step: Step): Step => {
  const known = keysOf(config)
  const keyIn = (key: string): string => known[Number(key.slice(3)) % known.length]!
  if ("key" in step) return { ...step, key: keyIn(step.key) }
  if ("keys" in step) return { ...step, keys: [...new Set(step.keys.map(keyIn))] }
  return step
}
