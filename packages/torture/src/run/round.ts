/**
 * One round: traffic on all nodes, faults, the end of faults, the end of changes, and the last
 * reads.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { now } from "../clock.ts"
import type { Done, Target, World } from "../faults/Fault.ts"
import type { Planned } from "../faults/plan.ts"
import { type Log, open as openLog } from "../history/log.ts"
import { coordinator, observer } from "../history/History.ts"
import { watchStalls } from "../history/stalls.ts"
import * as keys from "../keys.ts"
import { type Config, larders } from "../worker/Config.ts"
import { type Backend, directPlace, link } from "./backend.ts"
import { lifeOf, type RoundPlan } from "./plan.ts"
import { make as makeWorker, replies, type Worker } from "./workers.ts"

/** Before the first fault: nodes learn each other's values. */
const warmMillis = 1_000
/** Marks end first: other nodes may learn of them 5 s later. */
const marksAfterMillis = 1_500
/** Changes continue until breakers have let a call through again. */
const changesAfterMillis = 5_500
const quietMillis = 15_000
/** After this no node may serve a value older than the last mark. */
const calmMillis = 7_500
const finalMillis = 25_000
/** The tier's default. */
const heartbeatMillis = 1_000

export interface RoundResult {
  readonly operations: number
  /** The faults of the round. */
  readonly faults: ReadonlyArray<string>
  /** Errors of the coordinator: nothing that a larder did. */
  readonly troubles: ReadonlyArray<string>
}

const nodeNames = (count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => String.fromCharCode("A".charCodeAt(0) + i))

const configOf = (
  plan: RoundPlan,
  folder: string,
  role: Config["role"],
  node: string,
  place: Config["place"],
) => {
  const sqlite = role === "node" && plan.stack.includes("sqlite")
  return (generation: number): Config => ({
    node,
    role,
    seed: plan.seed,
    log: path.join(folder, `${node}-${generation}.jsonl`),
    prefix: `torture-${plan.seed}-${plan.round}`,
    place,
    wire: plan.wire,
    sqlite: sqlite ? path.join(folder, `${node}.db`) : undefined,
    maxFreshFor: plan.maxFreshFor,
    clockAhead: node === "A" ? 3_600_000 : 0,
    policy: plan.policy,
    clears: plan.clears,
    larders,
  })
}

const target = (plan: RoundPlan, folder: string, backend: Backend) => (name: string) =>
  Effect.gen(function* () {
    const links = yield* link(backend)
    const errors = path.join(folder, `${name}.err`)
    const worker = yield* makeWorker(
      name,
      errors,
      configOf(plan, folder, "node", name, links.place),
    )
    return { links, worker } satisfies Target
  })

/** Runs faults at the same place one after the other. */
const inject = (world: World, log: Log, planned: ReadonlyArray<Planned>) =>
  Effect.gen(function* () {
    const done: Array<string> = []
    const troubles: Array<string> = []
    const servers = yield* Semaphore.make(1)
    const places = yield* Effect.forEach(world.nodes, () => Semaphore.make(1))
    const run = ({ fault, node }: Planned) =>
      Effect.gen(function* () {
        const from = now()
        const exit = yield* Effect.exit(fault.run(world, world.nodes[node]!))
        const result: Done =
          exit._tag === "Success"
            ? exit.value
            : {
                detail: `failed: ${exit.cause.toString()}`,
                nodes: world.nodes.map(({ worker }) => worker.name),
                loses: true,
              }
        const own = fault.at === "servers" ? undefined : [world.nodes[node]!.worker.name]
        const { detail, loses = false, nodes = own, unharmed } = result
        log.write({ t: "fault", kind: fault.kind, from, to: now(), detail, nodes, loses, unharmed })
        done.push(fault.kind)
        if (exit._tag === "Failure") troubles.push(`${fault.kind}: ${detail}`)
      })
    yield* Effect.forEach(
      planned,
      (one) => {
        const turns = one.fault.at === "servers" ? servers : places[one.node]!
        return Effect.delay(turns.withPermits(1)(run(one)), one.after)
      },
      { concurrency: "unbounded", discard: true },
    )
    return { done, troubles }
  })

const tellAll = (nodes: ReadonlyArray<Target>, command: Parameters<Worker["tell"]>[0]) =>
  Effect.sync(() => {
    for (const { worker } of nodes) worker.tell(command)
  })

/** Reads every tenth key of the bursts. */
const finalKeys = ({ burstKeys }: World): ReadonlyArray<string> => [
  ...keys.hot,
  ...keys.setOnly,
  ...keys.quiet,
  ...burstKeys.filter((_, i) => i % 10 === 0),
]

const lookAtTheEnd = (world: World, watcher: Worker) =>
  Effect.gen(function* () {
    const asked = finalKeys(world)
    const own = asked.filter((key) => !keys.isBurst(key))
    for (const { worker } of world.nodes) {
      yield* worker.ask({ _tag: "Final", keys: own }, replies("Done"), finalMillis)
    }
    yield* watcher.ask({ _tag: "Final", keys: asked }, replies("Done"), finalMillis)
  })

const calmDown = (world: World, watcher: Worker, log: Log) =>
  Effect.gen(function* () {
    const { nodes } = world
    const faultsOver = now()
    log.write({ t: "phase", name: "faults over", at: faultsOver })
    yield* Effect.sleep(marksAfterMillis)
    yield* tellAll(nodes, { _tag: "StopMarks" })
    yield* Effect.sleep(changesAfterMillis - marksAfterMillis)
    yield* tellAll(nodes, { _tag: "StopChanges" })
    log.write({ t: "phase", name: "changes over", at: now() })
    yield* Effect.forEach(
      nodes,
      ({ worker }) =>
        worker.ask({ _tag: "AwaitQuiet", millis: quietMillis }, replies("Quiet"), 20_000),
      { concurrency: "unbounded" },
    )
    yield* Effect.sleep(Math.max(0, faultsOver + marksAfterMillis + calmMillis - now()))
    yield* lookAtTheEnd(world, watcher)
  })

export const runRound = (
  plan: RoundPlan,
  count: number,
  backend: Backend,
  folder: string,
): Effect.Effect<RoundResult, never, Scope.Scope> =>
  Effect.gen(function* () {
    fs.mkdirSync(folder, { recursive: true })
    const log = openLog(path.join(folder, `${coordinator}.jsonl`))
    yield* Effect.acquireRelease(
      Effect.sync(() => watchStalls(coordinator, log)),
      (stop) => Effect.sync(stop),
    )
    const { maxFreshFor, policy, round, seed, stack, wire } = plan
    const { freshFor, hardTimeout, tierBudget } = policy
    const life = lifeOf(policy)
    log.write({
      t: "round",
      round,
      seed,
      stack,
      wire,
      freshFor,
      life,
      hardTimeout,
      tierBudget,
      maxFreshFor,
      heartbeat: heartbeatMillis,
    })
    const nodes = yield* Effect.forEach(nodeNames(count), target(plan, folder, backend))
    const watcher = yield* makeWorker(
      observer,
      path.join(folder, `${observer}.err`),
      configOf(plan, folder, "observer", observer, directPlace(backend)),
    )
    const workers = [...nodes.map(({ worker }) => worker), watcher]
    const ready = yield* Effect.forEach(workers, ({ start }) => start, { concurrency: "unbounded" })
    const world: World = { random: plan.random, stack, backend, nodes, burstKeys: [] }
    yield* Effect.sleep(warmMillis)
    const { done, troubles } = yield* inject(world, log, plan.faults)
    yield* calmDown(world, watcher, log)
    const lazy = workers
      .filter((_, i) => ready[i] !== true)
      .map(({ name }) => `${name} did not start`)
    return {
      operations: workers.reduce((sum, { operations }) => sum + operations(), 0),
      faults: done,
      troubles: [...troubles, ...lazy],
    }
  })
