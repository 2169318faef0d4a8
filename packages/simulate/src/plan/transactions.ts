/** Puts transactions in place of some writers of a plan. */
import type { Choices } from "@larder/traces/choices"
import { type Config, keysOf, type Plan, type Step, type TransactionWrite } from "./Plan.ts"
import { writerOf } from "./writers.ts"

const isWrite = (step: Step): step is TransactionWrite =>
  step._tag === "around" || step._tag === "through" || step._tag === "update"

/** It stays until the end, and writes the source. */
const inside = (write: TransactionWrite): TransactionWrite => {
  const { leavesAfter: _, ...staying } = write
  return staying._tag === "update" ? { ...staying, isPure: false } : staying
}

const othersOf = (
  random: Choices,
  config: Config,
  { key, node }: TransactionWrite,
): ReadonlyArray<TransactionWrite> =>
  keysOf(config)
    .filter((other) => other !== key && random.chance(0.3))
    .slice(0, 2)
    .map((other) => writerOf(random, node, other))
    .filter(isWrite)

/** In a third of the plans; of a key, a transaction has one write at most. */
export const withTransactions = (random: Choices, { config, steps }: Plan): Plan => {
  const { chance, pick } = random
  if (!chance(0.35)) return { config, steps }
  const bundled = steps.map((step): Step => {
    if (!isWrite(step) || !chance(0.5)) return step
    return {
      _tag: "transaction",
      node: step.node,
      writes: [step, ...othersOf(random, config, step)].map(inside),
      reads: chance(0.5),
      rest: pick([0, 1, 20, 150]),
      ending: chance(0.6) ? "commits" : "rollsBack",
    }
  })
  return { config, steps: bundled }
}
