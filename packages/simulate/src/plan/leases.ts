/** Puts calls for leases into a plan, beside its other steps. */
import type { Choices } from "@larder/traces/choices"
import type { LeaseStep, Plan, Step } from "./Plan.ts"

/** Leases of one name last equally long. */
interface Name {
  readonly name: string
  /** ms. */
  readonly lease: number
}

const callOf = ({ between, chance, pick }: Choices, nodes: number, of: Name): LeaseStep => ({
  _tag: "lease",
  node: between(0, nodes - 1),
  ...of,
  wait: pick([0, 0, 100, of.lease, 3_000]),
  work: pick([1, 20, of.lease / 2, 2 * of.lease, 5 * of.lease]),
  ...(chance(0.1) ? { leavesAfter: between(0, of.lease) } : {}),
})

/** In some plans, one or several nodes now and then ask for one lease. */
export const withLeases = (random: Choices, { config, steps }: Plan): Plan => {
  const { chance, pick } = random
  if (!chance(0.3)) return { config, steps }
  const lease = pick([200, 400, 1_000])
  const names = ["job0", "job1"].slice(0, pick([1, 1, 2])).map((name): Name => ({ name, lease }))
  const share = pick([0.05, 0.15])
  const calls = () => {
    const of = pick(names)
    return Array.from({ length: pick([1, 1, 2, 3]) }, () => callOf(random, config.nodes, of))
  }
  const leased = steps.flatMap((step): ReadonlyArray<Step> =>
    chance(share) ? [step, ...calls()] : [step],
  )
  return { config, steps: leased.slice(0, steps.length) }
}
