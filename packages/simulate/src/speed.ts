/** `pnpm simulate:speed`: how fast histories run, in processor time of one core. */
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { seeded } from "./cluster/Cluster.ts"
import { EventLoop } from "./engine/eventLoop.ts"
import { MachineTime, Process } from "./engine/process.ts"
import { generate } from "./plan/generate.ts"
import { faultNames } from "./plan/faults.ts"
import { keyOf, type Plan, type Step } from "./plan/Plan.ts"
import { simulate } from "./run/simulate.ts"

/** ms of processor time. */
const spent = (): number => process.cpuUsage().user / 1_000

const measured = (plan: Plan) => {
  const began = spent()
  const history = simulate(plan)
  return { history, millis: spent() - began }
}

const grouped = (count: number): string => Math.round(count).toLocaleString("en-US")

const faultless = (nodes: number, steps: ReadonlyArray<Step>): Plan => {
  const { config } = generate(1, { nodes, steps: 1, faults: [] })
  return { config: { ...config, freshFor: 1e9, earlyRefresh: false, checked: false }, steps }
}

const get: Step = { _tag: "get", node: 0, key: keyOf(0) }

const hits = (): void => {
  const steps = Array.from({ length: 100_000 }, () => get)
  const { history, millis } = measured(faultless(1, steps))
  const { calls } = history
  console.log(`${grouped(calls.length)} hits: ${grouped((calls.length / millis) * 1_000)} a second`)
}

const mixed = (): void => {
  const plan = generate(2, { nodes: 5, steps: 10_000, faults: faultNames })
  const { history, millis } = measured(plan)
  const events = history.calls.length + history.lookups.length + history.deliveries.length
  console.log(
    `5 nodes, all faults, ${grouped(history.calls.length)} calls, ${grouped(history.lookups.length)} lookups and ${grouped(history.deliveries.length)} messages: ${grouped((events / millis) * 1_000)} a second`,
  )
}

/** An hour of five nodes: 10,000 operations, each followed by a wait. */
const hour = (): void => {
  const { config, steps } = generate(3, { nodes: 5, steps: 40_000, faults: [] })
  const operations = steps.filter(({ _tag }) => _tag !== "wait").slice(0, 10_000)
  const waits = operations.flatMap((step): ReadonlyArray<Step> => [
    step,
    { _tag: "wait", millis: 359 },
  ])
  const { history, millis } = measured({ config, steps: waits })
  console.log(
    `${(history.over.at / 3_600_000).toFixed(2)} simulated hours of 5 nodes, a heartbeat every 100 ms, ${grouped(operations.length)} operations: ${(millis / 1_000).toFixed(1)} s`,
  )
}

const yearMillis = 365 * 24 * 3_600_000

/** A year of one node that keeps memory only, whose larder has no timer while it rests. */
const year = (): void => {
  const operations = 10_000
  const loop = new EventLoop()
  const run = Effect.runForkWith(seeded(new Process(loop, new MachineTime(0)), 1))
  const scope = Scope.makeUnsafe()
  let lookups = 0
  const lookup = () =>
    Effect.delay(
      Effect.sync(() => (lookups += 1)),
      20,
    )
  const policy = Policy.make({ freshFor: "1 day", staleWhileRevalidate: "1 hour" })
  const made = Larder.make({ name: "year", upstream: Upstream.make({ lookup }), policy }).pipe(
    Effect.provide(TierStack.layer(MemoryTier.layer())),
    Scope.provide(scope),
  )
  const began = spent()
  run(Effect.orDie(made)).addObserver((exit) => {
    if (Exit.isFailure(exit)) throw new Error("the larder did not open")
    const ask = (left: number): void => {
      if (left === 0) return
      run(exit.value.get(keyOf(left % 10)))
      loop.after(yearMillis / operations, () => ask(left - 1))
    }
    ask(operations)
  })
  loop.pass(yearMillis)
  const seconds = ((spent() - began) / 1_000).toFixed(2)
  console.log(
    `a simulated year of one node over memory alone, ${grouped(operations)} operations, ${grouped(lookups)} lookups: ${seconds} s`,
  )
}

// The first run loads and compiles.
simulate(generate(1, { nodes: 5, steps: 2_000, faults: faultNames }))
hits()
mixed()
hour()
year()
