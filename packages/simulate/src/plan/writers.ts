/** Puts writers of the source, and updates, in place of some changes of a plan. */
import type { Choices } from "@larder/traces/choices"
import { type Plan, type Step, writeEndings, type WriteStep, type Writing } from "./Plan.ts"

const pauses = [0, 0, 1, 5, 20, 50, 150]

const leaving = ({ between, chance, pick }: Choices): { readonly leavesAfter?: number } =>
  chance(0.15) ? { leavesAfter: between(0, pick([5, 50, 300])) } : {}

const writingOf = (random: Choices): Writing => {
  const { chance, pick } = random
  const ending = chance(0.6) ? "done" : pick(writeEndings.slice(1))
  return { ending, millis: pick(pauses), rest: pick(pauses), ...leaving(random) }
}

export const writerOf = (random: Choices, node: number, key: string): WriteStep => {
  const { chance, pick, weighted } = random
  const _tag = weighted({ around: 3, through: 3, update: 3, setIfPresent: 0.7 })
  switch (_tag) {
    case "around": {
      const before = chance(0.3) ? "expire" : "nothing"
      const require = pick(["sent", "settled"] as const)
      return { _tag, node, key, before, require, ...writingOf(random) }
    }
    case "through":
      return { _tag, node, key, ...writingOf(random) }
    case "update":
      return { _tag, node, key, isPure: chance(0.4), ...writingOf(random) }
    case "setIfPresent":
      return { _tag, node, key }
  }
}

const countOf = (random: Choices, nodes: number): WriteStep => ({
  _tag: "count",
  node: random.between(0, nodes - 1),
  ...leaving(random),
})

const isOfKey = (step: Step): step is Extract<Step, { _tag: "set" | "expire" | "remove" }> =>
  step._tag === "set" || step._tag === "expire" || step._tag === "remove"

/** In most plans; a writer now and then meets another one of its key. */
export const withWriters = (random: Choices, { config, steps }: Plan): Plan => {
  const { between, chance, pick } = random
  if (chance(0.3)) return { config, steps }
  const share = pick([0.2, 0.5, 0.9])
  const others = (key: string): ReadonlyArray<WriteStep> =>
    chance(0.3) ? [writerOf(random, between(0, config.nodes - 1), key)] : []
  const counts = () =>
    Array.from({ length: pick([1, 1, 2, 3]) }, () => countOf(random, config.nodes))
  const written = steps.flatMap((step): ReadonlyArray<Step> => {
    if (step._tag === "wait") return chance(share / 6) ? [step, ...counts()] : [step]
    if (!isOfKey(step) || !chance(share)) return [step]
    return [writerOf(random, step.node, step.key), ...others(step.key)]
  })
  const lag = chance(0.25) ? { replicaLag: pick([50, 200]) } : {}
  return { config: { ...config, ...lag }, steps: written.slice(0, steps.length) }
}
