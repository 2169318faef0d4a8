/** Runs a plan: the same plan gives the same history, whatever the machine does. */
import { Cluster, type Machine, type MessageDelay } from "../cluster/Cluster.ts"
import type { History, Moment } from "../history/History.ts"
import { Recorder } from "../history/Recorder.ts"
import {
  closeTimeout,
  type Config,
  type FaultStep,
  heartbeat,
  counterKey,
  keysOf,
  type Plan,
  type Release,
  silence,
  type Step,
} from "../plan/Plan.ts"
import { type Running, startChange, startRead } from "./calls.ts"
import { startLease } from "./leases.ts"
import { Node } from "./node.ts"
import { startCertified, startWrite } from "./writes.ts"
import { startTransaction } from "./transactions.ts"
import { type Pause, Source } from "./source.ts"

/** ms. By then breakers have probed and missed changes were replayed. */
const recoveryMillis = silence + 7_000
/** ms. A read at rest ends within this, and what it commits reaches all nodes. */
const finalMillis = 300

class World {
  readonly config: Config
  readonly #recorder: Recorder
  readonly #cluster: Cluster
  readonly #source: Source
  /** By machine, the process that runs there now. */
  readonly #nodes: Array<Node> = []
  readonly #everyNode: Array<Node> = []
  #running: Array<Running<Node>> = []

  constructor(config: Config, { messageDelay, pause }: SimulateOptions) {
    this.config = config
    const recorder = new Recorder(() => this.#cluster.loop.now)
    this.#recorder = recorder
    this.#source = new Source(recorder, config, pause)
    this.#cluster = new Cluster(config, messageDelay)
    for (const machine of this.#cluster.machines) this.#start(machine)
    this.#pass(1)
  }

  play(steps: ReadonlyArray<Step>): History {
    for (const step of steps) this.#take(step)
    const healed = this.#heal()
    this.#pass(recoveryMillis)
    const quiet = this.#recorder.moment()
    this.#ask()
    if (steps.some(({ _tag }) => _tag === "count")) this.#askForCount()
    this.#sample()
    this.#close()
    const leftovers = this.#everyNode.flatMap(({ life, process }) =>
      life.killed === undefined && process.pending > 0 ? [{ life, timers: process.pending }] : [],
    )
    return this.#recorder.history(this.config, { healed, quiet, leftovers })
  }

  #start(machine: Machine, release: Release = machine.release): void {
    machine.release = release
    const node = new Node(this.#cluster, machine, {
      config: this.config,
      recorder: this.#recorder,
      source: this.#source,
    })
    this.#nodes[machine.index] = node
    this.#everyNode.push(node)
    this.#cluster.loop.drain()
  }

  #pass(millis: number): void {
    const { loop } = this.#cluster
    loop.pass(millis)
    this.#running = this.#running.filter(({ call }) => call.end === undefined)
  }

  /**
   * Each step has a millisecond of its own: in one and the same, the arbiter gives neighbouring
   * versions, and a node that chooses a version without the arbiter may choose another node's.
   */
  #take(step: Step): void {
    this.#recorder.step(step)
    if (step._tag === "wait") return this.#pass(step.millis)
    this.#takeNow(step)
    // Where memory has room for every key, its bound cannot be reached.
    if (this.config.maxEntries < this.config.keys) this.#sample()
    this.#pass(1)
  }

  #sample(): void {
    for (const node of this.#nodes) this.#recorder.sample(node.life, node.sample)
  }

  #takeNow(step: Exclude<Step, { readonly _tag: "wait" }>): void {
    switch (step._tag) {
      case "get":
      case "getWithMeta":
      case "getMany":
      case "read":
      case "refresh": {
        const node = this.#node(step)
        if (node.isUp) this.#running.push(startRead(this.#recorder, node, step, false))
        return
      }
      case "set":
      case "expire":
      case "remove":
      case "invalidateTags":
      case "clear": {
        const node = this.#node(step)
        const tags = "key" in step ? this.#source.tagsOf(step.key) : []
        if (node.isUp) this.#running.push(startChange(this.#recorder, node, step, tags))
        return
      }
      case "around":
      case "through":
      case "update":
      case "setIfPresent":
      case "count": {
        const node = this.#node(step)
        if (node.isUp) this.#running.push(startWrite(this.#recorder, this.#source, node, step))
        return
      }
      case "transaction": {
        const node = this.#node(step)
        if (node.isUp) startTransaction(this.#recorder, this.#source, node, step)
        return
      }
      case "lease": {
        const node = this.#node(step)
        if (node.isUp) startLease(this.#recorder, node, step)
        return
      }
      case "interrupt":
        return this.#interrupt(step.index)
      case "publish":
        return this.#source.publish(step.key, step.tags)
      default:
        return this.#fault(step)
    }
  }

  #node({ node }: { readonly node: number }): Node {
    return this.#nodes[node % this.config.nodes]!
  }

  #interrupt(index: number): void {
    const there = this.#running.filter(({ call, node }) => call.end === undefined && node.isUp)
    const one = there[index % Math.max(1, there.length)]
    if (one === undefined) return
    one.call.left = this.#recorder.moment()
    one.fiber.interruptUnsafe()
  }

  #fault(step: FaultStep): void {
    const cluster = this.#cluster
    if ("node" in step) return this.#faultAt(step, this.#node(step))
    switch (step._tag) {
      case "pauseArbiter":
        return cluster.pauseArbiter()
      case "resumeArbiter":
        return cluster.resumeArbiter()
      case "serverAway":
        return cluster.servers.leave(step.server)
      case "serverReplaced":
        return cluster.servers.replace(step.server)
      case "flush":
        return cluster.flush()
      case "evict":
        return cluster.evict(step.share)
      case "replicate":
        return cluster.replicate()
      case "failover":
        return cluster.failover()
      case "upstream":
        this.#source.behaviour = step.behaviour
        this.#source.millis = step.millis
    }
  }

  #faultAt(step: Extract<FaultStep, { readonly node: number }>, node: Node): void {
    const cluster = this.#cluster
    const { machine } = node
    switch (step._tag) {
      case "messages":
        cluster.network.of(machine.index).condition = step.condition
        return
      case "requests":
        machine.toArbiter.condition = step.condition
        return
      case "reconnect":
        return machine.reconnect()
      case "partition":
      case "heal":
        return cluster.setPartition(machine, step._tag === "partition")
      case "file":
        return cluster.setFile(machine, step.condition)
      case "clock":
        machine.time.skew = step.skew
        return
      case "drift":
        return machine.time.setRate(step.rate, cluster.loop.now)
      case "pause":
        return node.process.stop()
      case "resume":
        return node.process.continue()
      case "restart":
        if (node.isUp) node.close(() => this.#start(machine, step.release))
        return
      case "kill":
        return node.kill()
      case "start":
        if (node.process.isDead) this.#start(machine, step.release)
    }
  }

  #heal(): Moment {
    this.#source.behaviour = "answers"
    this.#source.millis = 0
    this.#cluster.heal()
    for (const { machine, process } of this.#nodes) {
      process.continue()
      if (process.isDead) this.#start(machine)
    }
    this.#cluster.loop.drain()
    return this.#recorder.moment()
  }

  /** Every node reads every key, then gets it, and gets it once more when it has heard of the lookup. */
  #ask(): void {
    for (const key of keysOf(this.config)) {
      for (const _tag of ["read", "getWithMeta", "getWithMeta"] as const) {
        for (const { machine } of this.#nodes) {
          const node = this.#nodes[machine.index]!
          if (!node.isUp) continue
          startRead(this.#recorder, node, { _tag, node: machine.index, key }, true)
          this.#pass(2 * this.config.latency + 1)
        }
        this.#pass(finalMillis)
      }
    }
  }

  /** Every node says what the arbiter has of the counter. */
  #askForCount(): void {
    for (const node of this.#nodes) {
      if (!node.isUp) continue
      startCertified(this.#recorder, node, counterKey)
      this.#pass(finalMillis)
    }
  }

  #close(): void {
    for (const node of this.#nodes) node.close(() => {})
    this.#pass(closeTimeout + 2 * heartbeat)
    // Timers that nobody waits for end within a second.
    this.#pass(2_000)
  }
}

export interface SimulateOptions {
  /** What lookups wait for. Default: as long as the plan says. */
  readonly pause?: Pause
  /** Default: messages take as long to all nodes. */
  readonly messageDelay?: MessageDelay
}

export const simulate = ({ config, steps }: Plan, options: SimulateOptions = {}): History =>
  new World(config, options).play(steps)
