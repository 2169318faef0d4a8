/** A node: the larder of the process that runs on a machine now. */
import { EarlyRefresh, Larder, MemoryTier, Policy, Tier, TierStack, Upstream } from "@larder/core"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { type Cluster, type Machine, seeded, type Watch } from "../cluster/Cluster.ts"
import { Process } from "../engine/process.ts"
import type { Life, Received, Sample } from "../history/History.ts"
import type { Recorder } from "../history/Recorder.ts"
import {
  closeTimeout,
  type Config,
  retryAfterFailure,
  tierBudget,
  tierTimeout,
} from "../plan/Plan.ts"
import { derived } from "@larder/traces/choices"
import type { LookupError, Source } from "./source.ts"
import { numberOf, SimulatedValue } from "./values.ts"

export type SimulatedLarder = Larder.Larder<string, SimulatedValue, LookupError>

export const policyOf = (config: Config): Policy.Policy => {
  const policy = Policy.make({
    freshFor: config.freshFor,
    staleWhileRevalidate: config.staleWhileRevalidate,
    staleIfError: config.staleIfError,
    earlyRefresh: config.earlyRefresh ? EarlyRefresh.after(0.5) : EarlyRefresh.none,
    softTimeout: config.softTimeout ?? undefined,
    hardTimeout: config.hardTimeout,
    retryAfterFailure,
    tierTimeout,
    tierBudget,
    tierWrites: config.tierWrites,
  })
  return config.checked ? Policy.checked(policy) : policy
}

/** What the rules see of a message; undefined for one that says nothing of values. */
const receivedOf = (message: Tier.Message): Received | undefined => {
  switch (message._tag) {
    case "Changed":
      return { _tag: "Changed", key: message.key, version: message.version }
    case "Marked":
      return { _tag: "Marked", numbers: message.page.marks.map(({ number }) => number) }
    case "Gap":
      return { _tag: "Gap", isOver: message.isOver }
    case "Released":
      return undefined
  }
}

const watchOf = (recorder: Recorder, life: Life): Watch => ({
  onBeat: (delay) => recorder.beat(life, delay),
  onAnswer: () => recorder.requestAnswered(life),
  onMessage: (message) => {
    const received = receivedOf(message)
    if (received !== undefined) recorder.received(life, received)
  },
})

/** One process with its larder. */
export class Node {
  readonly machine: Machine
  readonly process: Process
  readonly life: Life
  larder: SimulatedLarder | undefined
  readonly #recorder: Recorder
  readonly #scope = Scope.makeUnsafe()
  readonly #context: ReturnType<typeof seeded>

  constructor(
    cluster: Cluster,
    machine: Machine,
    { config, recorder, source }: { config: Config; recorder: Recorder; source: Source },
  ) {
    this.machine = machine
    this.process = new Process(cluster.loop, machine.time)
    this.life = recorder.life(machine.index)
    this.#recorder = recorder
    const { node, number } = this.life
    this.#context = seeded(this.process, derived(config.seed, "node", node, number))
    const { life } = this
    const memory = MemoryTier.layer({
      maxEntries: config.maxEntries,
      ...(config.maxFreshFor === null ? {} : { maxFreshFor: config.maxFreshFor }),
    })
    const shared = Layer.succeed(
      Tier.Tier,
      cluster.wayToArbiter(machine, this.process, watchOf(recorder, life)),
    )
    const file = Layer.succeed(Tier.Tier, cluster.wayToFile(machine, this.process))
    const stack = config.file
      ? TierStack.layer(memory, file, shared)
      : TierStack.layer(memory, shared)
    const made = Larder.make({
      name: "simulated",
      value: SimulatedValue,
      policy: policyOf(config),
      tags: (value) => recorder.tagsOf(numberOf(value)),
      closeTimeout,
      upstream: Upstream.make({
        lookup: (key: string, previous) => source.lookup(life, key, previous),
      }),
    })
    const opened = Effect.flatMap(Layer.buildWithScope(stack, this.#scope), (context) =>
      Effect.provide(Scope.provide(made, this.#scope), context),
    )
    const fiber = this.run(opened)
    fiber.addObserver((exit) => {
      if (Exit.isFailure(exit)) life.failure = Cause.pretty(exit.cause)
      else {
        this.larder = exit.value
        life.opened = recorder.moment()
      }
    })
  }

  /** Runs an effect on the process. */
  run<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> {
    return Effect.runForkWith(this.#context)(effect)
  }

  /** Whether the larder can be called now. */
  get isUp(): boolean {
    return this.larder !== undefined && this.process.isRunning && this.life.closing === undefined
  }

  /** What the larder's statistics say now. */
  get sample(): Pick<Sample, "entries" | "openBreakers"> {
    if (this.larder === undefined) return { entries: 0, openBreakers: [] }
    const { breakers, entries } = Effect.runSync(this.larder.stats)
    const openBreakers = Object.keys(breakers).filter((name) => breakers[name] !== "Closed")
    return { entries, openBreakers }
  }

  /** Closes the larder; runs `then` when it has closed. */
  close(then: () => void): void {
    const { life } = this
    if (life.closing !== undefined || this.process.isDead) return
    life.closing = this.#recorder.moment()
    this.run(Scope.close(this.#scope, Exit.void)).addObserver(() => {
      life.closed = this.#recorder.moment()
      then()
    })
  }

  kill(): void {
    if (this.process.isDead) return
    this.life.killed = this.#recorder.moment()
    this.process.kill()
  }
}
