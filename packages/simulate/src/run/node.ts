/** A node: the larder of the process that runs on a machine now. */
import { Tier, TierStack } from "@larder/core"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { type Cluster, type Machine, seeded, type Watch } from "../cluster/Cluster.ts"
import { Process } from "../engine/process.ts"
import type { Life, Sample } from "../history/History.ts"
import type { Recorder } from "../history/Recorder.ts"
import type { Config } from "../plan/Plan.ts"
import { derived } from "@larder/traces/choices"
import { makeLarder, memoryOf, type SimulatedLarder } from "./larder.ts"
import type { Source } from "./source.ts"

const watchOf = (recorder: Recorder, life: Life): Watch => ({
  onBeat: (delay) => recorder.beat(life, delay),
  onAnswer: () => recorder.requestAnswered(life),
  onMessage: (message) => recorder.heard(life, message),
})

/** One process with its larder. */
export class Node {
  readonly machine: Machine
  readonly process: Process
  readonly life: Life
  larder: SimulatedLarder | undefined
  /** The tier of the arbiter, for leases alone. */
  readonly lessor: Tier.ByteTier
  /** What ends with the process, and not with the larder. */
  readonly #jobs = new Set<Fiber.Fiber<unknown, unknown>>()
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
    this.life = recorder.life(machine.index, machine.release)
    this.#recorder = recorder
    const { node, number } = this.life
    this.#context = seeded(this.process, derived(config.seed, "node", node, number))
    const { life } = this
    const memory = memoryOf(config)
    const shared = Layer.succeed(
      Tier.Tier,
      cluster.wayToArbiter(machine, this.process, watchOf(recorder, life)),
    )
    this.lessor = cluster.wayToLessor(machine, this.process)
    const file = Layer.succeed(Tier.Tier, cluster.wayToFile(machine, this.process))
    const stack = config.file
      ? TierStack.layer(memory, file, shared)
      : TierStack.layer(memory, shared)
    const made = makeLarder({ config, recorder, source, life })
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

  /** Runs work that is interrupted when the process closes. */
  job(effect: Effect.Effect<unknown, unknown>): void {
    const fiber = this.run(effect)
    this.#jobs.add(fiber)
    fiber.addObserver(() => this.#jobs.delete(fiber))
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
    const closed = Effect.zip(
      Scope.close(this.#scope, Exit.void),
      Fiber.interruptAll([...this.#jobs]),
      { concurrent: true },
    )
    this.run(closed).addObserver(() => {
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
