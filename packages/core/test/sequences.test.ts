/**
 * The laws under random sequences of everything that can happen to a larder.
 *
 * A failure names its seed and path; `LARDER_SEED=<seed>:<path>` (or `<seed>`
 * alone) runs it again, `LARDER_RUNS=<n>` sets how many sequences there are per stack.
 */
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import { faults, reaches } from "./support/faultyTier.ts"
import { type Config, type Step, violations } from "./support/world.ts"

const keys = ["a", "b", "c"]
const key = fc.constantFrom(...keys)
const tags = fc.subarray(["x", "y"])
const often = <A>(weight: number, arbitrary: fc.Arbitrary<A>) => ({ weight, arbitrary })
const tagged = <const T extends string>(_tag: T) => fc.constant(_tag)

const configs = (stack: Config["stack"]): fc.Arbitrary<Config> =>
  fc.record({
    stack: fc.constant(stack),
    freshFor: fc.constantFrom(200, 100, 500, 0),
    staleWhileRevalidate: fc.constantFrom(0, 150, 300),
    staleIfError: fc.constantFrom(0, 200, 1_000),
    jitter: fc.constantFrom(0, 0, 0.5),
    early: fc.constantFrom("none", "after", "xfetch"),
    softTimeout: fc.constantFrom(undefined, 100),
    retryAfterFailure: fc.constantFrom(100, 0, 300),
    failureFor: fc.constantFrom(undefined, 100),
    tierWrites: fc.constantFrom("awaited", "background"),
    bulk: fc.boolean(),
    bounded: fc.integer({ min: 0, max: 4 }).map((n) => n === 4),
    abrupt: fc.integer({ min: 0, max: 4 }).map((n) => n === 4),
    seed: fc.nat(),
  })

const maxAge = fc.constantFrom(undefined, undefined, 0, 100)

const asking: Array<fc.WeightedArbitrary<Step>> = [
  often(6, fc.record({ _tag: tagged("getWithMeta"), key })),
  often(3, fc.record({ _tag: tagged("get"), key, maxAge, allowStale: fc.boolean() })),
  often(2, fc.record({ _tag: tagged("getMany"), keys: fc.subarray(keys, { minLength: 1 }) })),
  often(2, fc.record({ _tag: tagged("read"), key })),
  often(1, fc.record({ _tag: tagged("refresh"), key })),
  often(2, fc.record({ _tag: tagged("interrupt"), index: fc.nat(9) })),
]

const changing: Array<fc.WeightedArbitrary<Step>> = [
  often(1, fc.record({ _tag: tagged("set"), key })),
  often(1, fc.record({ _tag: tagged("expire"), key })),
  often(1, fc.record({ _tag: tagged("remove"), key })),
  often(2, fc.record({ _tag: tagged("tags"), tags, keepStale: fc.boolean() })),
  often(1, fc.record({ _tag: tagged("clear"), keepStale: fc.boolean() })),
]

const surroundings: Array<fc.WeightedArbitrary<Step>> = [
  often(8, fc.record({ _tag: tagged("time"), units: fc.constantFrom(0, 1, 1, 2, 3, 5, 8) })),
  often(
    5,
    fc.record({
      _tag: tagged("upstream"),
      answer: fc.constantFrom(
        "value",
        "value",
        "notModified",
        "fails",
        "defect",
        "hangs",
        "disobeys",
        "partial",
      ),
      units: fc.constantFrom(1, 0, 2, 3),
      tags,
    }),
  ),
]

const troubles = (where: ReadonlyArray<"file" | "shared">): fc.WeightedArbitrary<Step> =>
  often(
    6,
    fc.record({
      _tag: tagged("fault"),
      fault: fc.constantFrom(...faults),
      reach: fc.constantFrom(...reaches),
      where: fc.constantFrom(...where),
    }),
  )

const behindMemory = {
  memory: [],
  "memory and shared": ["shared"],
  shared: ["shared"],
  "memory and file": ["file"],
  "all three": ["file", "shared"],
} as const

const stepsFor = (stack: Config["stack"]) => {
  const restart = often(1, fc.record({ _tag: tagged("restart") }))
  const sane = [...asking, ...changing, ...surroundings, restart]
  const calm = fc.array(fc.oneof(...sane), { minLength: 6, maxLength: 24, size: "max" })
  if (stack === "memory") return calm
  const troubled = fc.array(fc.oneof(...sane, troubles(behindMemory[stack])), {
    minLength: 6,
    maxLength: 24,
    size: "max",
  })
  return fc.oneof(calm, { weight: 3, arbitrary: troubled })
}

/** With `CI` set the sequences are always the same, so that they do not decide whether a change passes; elsewhere each run draws new ones. */
const fixed = process.env["CI"] === undefined ? undefined : "20261121"
const [seed, path] = (process.env["LARDER_SEED"] ?? fixed)?.split(/:(.*)/) ?? []
const runs = process.env["LARDER_RUNS"]

const settings: fc.Parameters<unknown> = {
  ...(seed === undefined ? undefined : { seed: Number(seed) }),
  ...(path === undefined ? undefined : { path }),
}

describe("the laws hold whatever happens", () => {
  const sequences = {
    memory: 500,
    "memory and shared": 350,
    shared: 250,
    "memory and file": 250,
    "all three": 350,
  } as const
  for (const stack of Object.keys(sequences) as Array<Config["stack"]>) {
    it(`over ${stack}: ${sequences[stack]} random sequences`, { timeout: 60_000 }, () =>
      fc.assert(
        fc.asyncProperty(configs(stack), stepsFor(stack), async (config, steps) => {
          const found = await Effect.runPromise(violations(config, steps, keys))
          if (found.length > 0) throw new Error(found.join("\n"))
        }),
        { numRuns: runs === undefined ? sequences[stack] : Number(runs), ...settings },
      ),
    )
  }
})
