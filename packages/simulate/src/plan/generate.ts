/** Draws plans from a seed. */
import { derived, make, type Choices } from "@larder/traces/choices"
import { zipf } from "@larder/traces/random"
import { faultKinds, type FaultKind } from "./faults.ts"
import {
  type Config,
  keyOf,
  keysOf,
  messageConditions,
  type Plan,
  plainRelease,
  type Release,
  type Step,
} from "./Plan.ts"
import { withLeases } from "./leases.ts"
import { withScene } from "./scenes.ts"
import { withTransactions } from "./transactions.ts"
import { withWriters } from "./writers.ts"

export interface Size {
  readonly nodes: number
  readonly steps: number
  /** The kinds of faults that may happen; none where empty. */
  readonly faults: ReadonlyArray<FaultKind>
}

const configOf = (random: Choices, nodes: number, seed: number): Config => {
  const { chance, pick } = random
  const leaseTime = pick([1_000, 1_000, 200])
  return {
    nodes,
    keys: pick([1, 2, 3, 8]),
    file: chance(0.3),
    freshFor: pick([60_000, 10_000, 2_000, 500]),
    staleWhileRevalidate: pick([0, 300, 5_000]),
    staleIfError: pick([0, 1_000, 60_000]),
    earlyRefresh: chance(0.2),
    softTimeout: pick([null, null, 100]),
    hardTimeout: leaseTime === 200 ? 700 : 300,
    tierWrites: pick(["awaited", "background"]),
    checked: chance(0.15),
    maxEntries: pick([10_000, 10_000, 2]),
    maxFreshFor: pick([null, null, 1_000]),
    leaseTime,
    settleTime: pick([60_000, 2_000]),
    push: chance(0.4),
    latency: pick([0, 2, 10]),
    skews: Array.from({ length: nodes }, () => pick([0, 0, 300_000, -300_000, 1_000, -1_000])),
    seed,
  }
}

/** Steps, and what ends them after some others. */
interface Drawn {
  readonly steps: ReadonlyArray<Step>
  readonly ends?: Step
}

const tagsIn = (random: Choices): ReadonlyArray<string> =>
  ["x", "y"].filter(() => random.chance(0.5))

const reads = {
  getWithMeta: 8,
  get: 4,
  getMany: 1,
  read: 2,
  refresh: 0.7,
} as const

const changes = { set: 3, expire: 1, remove: 2, invalidateTags: 2.5, clear: 0.5 } as const

const wait = (millis: number): Step => ({ _tag: "wait", millis })

class Drawing {
  readonly #random: Choices
  readonly #config: Config
  readonly #size: Size
  readonly #key: () => number
  /** For how long lookups take at first. */
  readonly #millis: number
  #focused = keyOf(0)
  /** Steps for which one key has the focus. */
  #left = 0

  constructor(random: Choices, config: Config, size: Size, millis: number) {
    this.#random = random
    this.#millis = millis
    this.#config = config
    this.#size = size
    this.#key = zipf(config.keys, 1, random.next)
  }

  step(): Drawn {
    const { faults } = this.#size
    this.#left -= 1
    const isFocused = this.#left > 0
    const kind = this.#random.weighted({
      read: 12,
      change: isFocused ? 12 : 5,
      wait: 8,
      interrupt: 0.7,
      publish: 2,
      race: 0.7,
      fault: faults.length === 0 ? 0 : isFocused ? 1 : 3,
    })
    switch (kind) {
      case "read":
        return { steps: [this.#read()] }
      case "change":
        return { steps: [this.#change()] }
      case "wait":
        return { steps: [this.#wait()] }
      case "interrupt":
        return { steps: [{ _tag: "interrupt", index: this.#random.between(0, 9) }] }
      case "publish":
        return { steps: [{ _tag: "publish", key: this.#drawKey(), tags: tagsIn(this.#random) }] }
      case "race":
        return { steps: this.#race() }
      case "fault": {
        if (this.#random.chance(0.5)) this.#focus()
        const { ends, step } = faultKinds[this.#random.pick(faults)](this.#random, this.#node())
        return { steps: [step], ...(ends === undefined ? {} : { ends }) }
      }
    }
  }

  #node(): number {
    return this.#random.between(0, this.#config.nodes - 1)
  }

  /** For some steps, all nodes read and change one key: what a fault does wrong shows there. */
  #focus(): void {
    this.#left = this.#random.between(6, 16)
    this.#focused = keyOf(this.#key())
  }

  #drawKey(): string {
    return this.#left > 0 ? this.#focused : keyOf(this.#key())
  }

  #wait(): Step {
    const { chance, pick } = this.#random
    const millis = chance(0.04)
      ? pick([1_000, 2_500, this.#config.freshFor])
      : pick([0, 1, 1, 10, 10, 50, 50, 100, 150, 350])
    return wait(millis)
  }

  /**
   * A change comes while a node looks the key up, and perhaps hears nothing; then that node is asked again,
   * before it must notice.
   */
  #race(): ReadonlyArray<Step> {
    const { between, chance, pick } = this.#random
    const node = this.#node()
    const key = this.#drawKey()
    // Keys that are drawn meanwhile are this one.
    this.#focused = key
    this.#left = Math.max(this.#left, 2)
    const { latency } = this.#config
    const until = between(1, Math.max(1, this.#millis))
    // The node is asked again while it looks the key up, or when it has done so.
    const rest = chance(0.3) ? 1 : this.#millis - until + 4 * latency + pick([5, 20, 100])
    const raced: ReadonlyArray<Step> = [
      { _tag: "refresh", node, key },
      wait(until),
      this.#change(),
      // Their messages may arrive in another order.
      ...(chance(0.4) ? [wait(pick([0, 10, 50])), this.#change()] : []),
      wait(rest),
      { _tag: "getWithMeta", node, key },
    ]
    if (!this.#size.faults.includes("messages") || chance(0.5)) return raced
    return [
      { _tag: "messages", node, condition: pick(messageConditions.slice(1)) },
      ...raced,
      { _tag: "messages", node, condition: "prompt" },
    ]
  }

  #read(): Step {
    const { chance, pick, weighted } = this.#random
    const node = this.#node()
    const _tag = weighted(reads)
    if (_tag === "getMany") {
      const keys = [...new Set(Array.from({ length: 4 }, () => this.#drawKey()))]
      return { _tag, node, keys }
    }
    const key = this.#drawKey()
    const check = chance(0.15) ? { check: true } : {}
    if (_tag === "getWithMeta") return { _tag, node, key, ...check }
    if (_tag !== "get") return { _tag, node, key }
    const maxAge = chance(0.2) ? { maxAge: pick([0, 100, 1_000]) } : {}
    return { _tag, node, key, ...maxAge, ...check, ...(chance(0.1) ? { stale: "never" } : {}) }
  }

  #change(): Step {
    const { chance, weighted } = this.#random
    const node = this.#node()
    const _tag = weighted(changes)
    const keepStale = chance(0.5)
    if (_tag === "clear") return { _tag, node, keepStale }
    if (_tag !== "invalidateTags") return { _tag, node, key: this.#drawKey() }
    const tags = tagsIn(this.#random)
    return { _tag, node, tags: tags.length === 0 ? ["x"] : tags, keepStale }
  }
}

/**
 * The faults of one plan: some of the kinds, or none. Together all kinds hide what a few would show, since
 * hardly any node is ever well.
 */
const faultsOf = ({ chance, pick }: Choices, kinds: Size["faults"]): Size["faults"] => {
  if (kinds.length === 0 || chance(0.12)) return []
  const count = pick([1, 1, 2, 2, 3, 5, 8])
  return [...new Set(Array.from({ length: count }, () => pick(kinds)))]
}

/** Half of the keys have tags from the beginning. */
const firstTags = (random: Choices, config: Config): ReadonlyArray<Step> =>
  keysOf(config)
    .filter(() => random.chance(0.5))
    .map((key) => ({ _tag: "publish", key, tags: tagsIn(random) }))

/** The second release of a plan: newer, or of the same number by mistake. */
export const otherReleases: ReadonlyArray<Release> = [
  { schemaVersion: 1, isBoxed: false },
  { schemaVersion: 1, isBoxed: true },
  { schemaVersion: 0, isBoxed: true },
]

/** In some plans, nodes run two releases, and a process that begins again may be of the other one. */
const withReleases = ({ chance, pick }: Choices, plan: Plan): Plan => {
  if (!chance(0.15)) return plan
  const two = [plainRelease, pick(otherReleases)]
  const releases = Array.from({ length: plan.config.nodes }, () => pick(two))
  const steps = plan.steps.map((step): Step =>
    (step._tag === "restart" || step._tag === "start") && chance(0.5)
      ? { ...step, release: pick(two) }
      : step,
  )
  return { config: { ...plan.config, releases }, steps }
}

/** A node reads a key while its own change of the key is on its way, and hears nothing of the change. */
const changeUnderWay = (random: Choices, { nodes, keys }: Config): ReadonlyArray<Step> => {
  const { between, pick } = random
  const node = between(0, nodes - 1)
  const key = keyOf(between(0, keys - 1))
  const get: Step = { _tag: "getWithMeta", node, key }
  return [
    get,
    wait(pick([50, 200])),
    { _tag: "messages", node, condition: "cut" },
    { _tag: "requests", node, condition: "slow" },
    { _tag: pick(["set", "expire", "remove"]), node, key },
    { _tag: "requests", node, condition: "prompt" },
    get,
    wait(100),
    get,
    { _tag: "messages", node, condition: "prompt" },
  ]
}

const withChangeUnderWay = (random: Choices, plan: Plan, { faults }: Size): Plan => {
  const { config, steps } = plan
  if (!faults.includes("messages") || !faults.includes("requests")) return plan
  const added = changeUnderWay(random, config)
  if (steps.length < 2 * added.length || !random.chance(0.15)) return plan
  const rest = steps.length - added.length
  const place = random.between(0, rest)
  return { config, steps: [...steps.slice(0, place), ...added, ...steps.slice(place, rest)] }
}

/** The same seed and size give the same plan. */
export const generate = (seed: number, size: Size): Plan => {
  const random = make(derived(seed, "plan"))
  const config = configOf(random, size.nodes, seed)
  const faults = faultsOf(random, size.faults)
  // Changes meet lookups only where lookups take time.
  const millis = random.pick([0, 20, 50, 100, 150, 0.6 * config.hardTimeout])
  const drawing = new Drawing(random, config, { ...size, faults }, millis)
  const steps: Array<Step> = [
    { _tag: "upstream", behaviour: "answers", millis },
    ...firstTags(random, config),
  ]
  /** By place, the steps that end a fault there. */
  const ends = new Map<number, ReadonlyArray<Step>>()
  while (steps.length < size.steps) {
    const due = [...ends].filter(([place]) => place <= steps.length)
    for (const [place, ended] of due) {
      ends.delete(place)
      steps.push(...ended)
    }
    const drawn = drawing.step()
    steps.push(...drawn.steps)
    if (drawn.ends === undefined) continue
    const place = steps.length + random.between(1, random.chance(0.2) ? 60 : 12)
    ends.set(place, [...(ends.get(place) ?? []), drawn.ends])
  }
  const drawn = { config, steps: steps.slice(0, size.steps) }
  // Each with a generator of its own, which leaves the other plans as they are.
  const written = withWriters(make(derived(seed, "writers")), drawn)
  const bundled = withTransactions(make(derived(seed, "transactions")), written)
  const leased = withLeases(make(derived(seed, "leases")), bundled)
  const opened = withScene(make(derived(seed, "scene")), leased, (fault) =>
    size.faults.includes(fault),
  )
  const plan = withChangeUnderWay(make(derived(seed, "underWay")), opened, size)
  return withReleases(make(derived(seed, "releases")), plan)
}
