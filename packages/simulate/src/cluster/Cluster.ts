/**
 * Machines with clocks of their own, the processes on them, and an arbiter that they reach over a
 * network: everything that a run may break.
 */
import { MemoryTier, Tier } from "@larder/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import { EventLoop } from "../engine/eventLoop.ts"
import { Process, MachineTime } from "../engine/process.ts"
import {
  breakerOpenFor,
  type Config,
  type FileCondition,
  heartbeat,
  plainRelease,
  type Release,
  serversOf,
  timesOf,
} from "../plan/Plan.ts"
import { derived, make } from "@larder/traces/choices"
import { SimulatedNetwork } from "./network.ts"
import { Servers } from "./servers.ts"
import { asFile, type Conditions, reached } from "./way.ts"

/** The most bytes of a value that a message brings. */
const pushBytes = 1_024

/** The limits of the arbiter's tier. */
export const limitsOf = (config: Config) => {
  const { leaseWait, markMaxAge } = timesOf(config)
  const { leaseTime, push, settleTime } = config
  return {
    heartbeat,
    leaseTime,
    leaseWait,
    settleTime,
    markMaxAge,
    push: push ? { maxBytes: pushBytes } : undefined,
    breaker: { openFor: breakerOpenFor },
  }
}

/** ms. How much longer than the latency a message takes to a node. */
export type MessageDelay = (node: number) => number

const bytesOf = (layer: Layer.Layer<Tier.Tier>, process: Process): Tier.ByteTier => {
  const build = Effect.map(Layer.build(layer), (context) => Context.get(context, Tier.Tier))
  const tier = Effect.runSyncWith(process.context)(Effect.scoped(build))
  if (tier.kind !== "bytes") throw new Error(`${tier.name} keeps no bytes`)
  return tier
}

/** What happens between one process and the arbiter, for the record. */
export interface Watch {
  /** A heartbeat will arrive after `delay`, ms. */
  readonly onBeat: (delay: number) => void
  /** The arbiter has answered a request. */
  readonly onAnswer: () => void
  readonly onMessage: (message: Tier.Message) => void
}

const deaf: Watch = { onBeat: () => {}, onAnswer: () => {}, onMessage: () => {} }

/** A machine of the cluster. One process runs on it at a time. */
export class Machine {
  readonly index: number
  readonly time: MachineTime
  readonly file: Tier.ByteTier
  readonly toFile: Conditions = { condition: "prompt", isPartitioned: false }
  readonly toArbiter: Conditions = { condition: "prompt", isPartitioned: false }
  /** What the next process runs. */
  release: Release
  /** Tells the larder of the last process that a lost connection to the arbiter is back. */
  reconnect = () => {}

  constructor(loop: EventLoop, index: number, skew: number, release: Release) {
    this.index = index
    this.release = release
    this.time = new MachineTime(skew)
    const disk = new Process(loop, this.time)
    this.file = asFile(bytesOf(Layer.fresh(MemoryTier.layerShared), disk))
  }
}

export class Cluster {
  readonly loop = new EventLoop()
  readonly machines: ReadonlyArray<Machine>
  readonly network: SimulatedNetwork
  readonly servers: Servers
  readonly #config: Config
  readonly #arbiter: Process
  readonly #server: MemoryTier.SharedServer
  readonly #tier: Tier.ByteTier
  readonly #random: ReturnType<typeof make>
  /** Of its own, so that leases leave the other requests as they are. */
  readonly #lessorRandom: ReturnType<typeof make>
  /** By number, from 1. */
  readonly #subscribers: Array<Watch> = []
  #replica: Effect.Effect<void> | undefined
  /** Requests that wait for an arbiter that stands still. */
  #held: Array<() => void> | undefined

  constructor(config: Config, messageDelay: MessageDelay = () => 0) {
    this.#config = config
    this.#random = make(derived(config.seed, "requests"))
    this.#lessorRandom = make(derived(config.seed, "lessor"))
    this.#arbiter = new Process(this.loop, new MachineTime(0))
    this.network = new SimulatedNetwork({
      seed: derived(config.seed, "network"),
      delay: (node) => config.latency + messageDelay(node),
      onBeat: (subscription, delay) => this.#subscribers[subscription - 1]!.onBeat(delay),
    })
    this.#server = this.#onArbiter(
      MemoryTier.sharedServer({ ...limitsOf(config), network: this.network }),
    )
    this.servers = new Servers(serversOf(config))
    this.#tier = this.servers.tier(bytesOf(this.#server.layer, this.#arbiter))
    this.machines = Array.from(
      { length: config.nodes },
      (_, index) =>
        new Machine(
          this.loop,
          index,
          config.skews[index] ?? 0,
          config.releases?.[index] ?? plainRelease,
        ),
    )
  }

  #onArbiter<A>(effect: Effect.Effect<A>): A {
    return Effect.runSyncWith(seeded(this.#arbiter, derived(this.#config.seed, "arbiter")))(effect)
  }

  /** The arbiter, as a new process on a machine reaches it. */
  wayToArbiter(machine: Machine, process: Process, watch: Watch): Tier.ByteTier {
    return reached(this.#tier, {
      process,
      conditions: machine.toArbiter,
      random: this.#random,
      latency: this.#config.latency,
      awake: this.#awake(process),
      answered: watch.onAnswer,
      opened: (reconnected) => {
        machine.reconnect = () => process.whenRunning(reconnected)
      },
      listens: () => {
        this.network.subscribes(machine.index)
        this.#subscribers.push(watch)
      },
      receives: watch.onMessage,
    })
  }

  /** The arbiter as a lessor: what it says of leases is nothing that the larder of the process hears. */
  wayToLessor(machine: Machine, process: Process): Tier.ByteTier {
    return reached(this.#tier, {
      process,
      conditions: machine.toArbiter,
      random: this.#lessorRandom,
      latency: this.#config.latency,
      awake: this.#awake(process),
      answered: () => {},
      opened: () => {},
      listens: () => {
        this.network.subscribes(machine.index)
        this.#subscribers.push(deaf)
      },
      receives: () => {},
    })
  }

  wayToFile(machine: Machine, process: Process): Tier.ByteTier {
    return reached(machine.file, {
      process,
      conditions: machine.toFile,
      random: this.#random,
      latency: 0,
      awake: Effect.void,
      answered: () => {},
      opened: () => {},
      listens: () => {},
      receives: () => {},
    })
  }

  #awake(process: Process): Effect.Effect<void> {
    return Effect.suspend(() => {
      const held = this.#held
      if (held === undefined) return Effect.void
      return Effect.callback((resume) => {
        const task = () => process.whenRunning(() => resume(Effect.void))
        held.push(task)
        return Effect.sync(() => {
          const place = held.indexOf(task)
          if (place >= 0) held.splice(place, 1)
        })
      })
    })
  }

  setPartition(machine: Machine, isPartitioned: boolean): void {
    machine.toArbiter.isPartitioned = isPartitioned
    this.network.of(machine.index).isPartitioned = isPartitioned
  }

  setFile(machine: Machine, condition: FileCondition): void {
    machine.toFile.condition = condition
  }

  pauseArbiter(): void {
    this.#held ??= []
    this.network.isSilent = true
  }

  resumeArbiter(): void {
    const held = this.#held ?? []
    this.#held = undefined
    this.network.isSilent = false
    for (const task of [...held]) this.loop.soon(task)
  }

  flush(): void {
    this.#onArbiter(this.#server.loseAll)
  }

  evict(share: number): void {
    this.#onArbiter(this.#server.evict(share))
  }

  replicate(): void {
    this.#replica = this.#onArbiter(this.#server.replicate)
  }

  failover(): void {
    const replica = this.#replica
    this.#replica = undefined
    if (replica !== undefined) this.#onArbiter(replica)
  }

  heal(): void {
    this.resumeArbiter()
    this.#replica = undefined
    this.servers.heal()
    for (const machine of this.machines) {
      this.setPartition(machine, false)
      this.network.of(machine.index).condition = "prompt"
      machine.toArbiter.condition = "prompt"
      machine.toFile.condition = "prompt"
      machine.time.setRate(1, this.loop.now)
    }
  }
}

/** The context of a process, with a generator of its own. */
export const seeded = (process: Process, seed: number): Context.Context<never> => {
  const random = Effect.runSync(Random.withSeed(Random.Random, seed))
  return Context.add(process.context, Random.Random, random)
}
