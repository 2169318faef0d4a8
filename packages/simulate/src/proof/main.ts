/**
 * `pnpm simulate:proof [name...]`: puts defects into a copy of the sources, one at a time, and simulates
 * until a law is broken; puts old faults back, and plays their scenarios. Exits with 1 when a defect or a
 * fault stays unseen.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { copy, type Edit, remove } from "@larder/mutate/copy"
import { type OldFaultName, oldFaults } from "@larder/mutate/oldFaults"
import * as Effect from "effect/Effect"
import { now } from "../clock.ts"
import { scenarios } from "../scenarios/scenarios.ts"
import { type Defect, defects } from "./defects.ts"
import { hunt, played } from "./hunt.ts"

/** The most that a defect may need. */
const mostSeeds = 1_000

/** What a run needs. */
const packages = ["core", "simulate", "traces"]

const copied = (edits: ReadonlyArray<Edit>) =>
  Effect.acquireRelease(
    Effect.sync(() => copy(packages, edits)),
    (folder) => Effect.sync(() => remove(folder)),
  )

/** Without the defect the same seeds must pass: otherwise they prove nothing. */
const passes = (given: ReadonlyArray<Edit>, seeds: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const caught = yield* hunt(yield* copied(given), { seeds })
      if (caught === undefined) return true
      console.log(`seed ${caught.seed} breaks ${caught.laws.join(", ")} without a defect`)
      return false
    }),
  )

/** The seeds that the defect needs; undefined where they prove nothing. */
const prove = ({ edits, given = [], name, what }: Defect) =>
  Effect.gen(function* () {
    const began = now()
    const caught = yield* hunt(yield* copied([...given, ...edits]), { seeds: mostSeeds })
    const took = `${((now() - began) / 1_000).toFixed(0)} s`
    if (caught === undefined) {
      console.log(`| ${name} | ${what} | not in ${mostSeeds} | ${took} |  |`)
      return undefined
    }
    const { laws, seed } = caught
    console.log(`| ${name} | ${what} | ${seed} | ${took} | ${laws.join(", ")} |`)
    return given.length === 0 || (yield* passes(given, seed)) ? seed : undefined
  }).pipe(Effect.scoped)

/** Whether every chosen defect is seen, by seeds that break no law without it. */
const proveDefects = (chosen: ReadonlyArray<Defect>) =>
  Effect.gen(function* () {
    console.log("| defect | what the larder does | seeds | time | laws that break |")
    console.log("| --- | --- | --: | --: | --- |")
    const seeds = (yield* Effect.forEach(chosen, prove)).filter((seed) => seed !== undefined)
    console.log(`\n${seeds.length} of ${chosen.length} defects seen`)
    const isClean = yield* passes([], Math.max(1, ...seeds))
    if (isClean) console.log("without a defect, the same seeds break no law")
    return seeds.length === chosen.length && isClean
  })

/** Whether the scenario of a fault shows it. A test holds that it shows nothing without the fault. */
const isShown = (name: OldFaultName) =>
  Effect.gen(function* () {
    const { edits, what } = oldFaults[name]
    const [first] = yield* played(yield* copied(edits), name)
    console.log(`| ${name} | ${what} | ${first ?? "nothing"} |`)
    return first !== undefined
  }).pipe(Effect.scoped)

/** Whether every chosen fault is seen. */
const proveScenarios = (chosen: ReadonlyArray<OldFaultName>) =>
  Effect.gen(function* () {
    console.log("| old fault | what the larder did | what its scenario shows |")
    console.log("| --- | --- | --- |")
    const shown = (yield* Effect.forEach(chosen, isShown)).filter((one) => one)
    console.log(`\n${shown.length} of ${chosen.length} old faults seen`)
    return shown.length === chosen.length
  })

const faultNames = scenarios.map(({ fault }) => fault)

const main = (names: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const isChosen = (name: string) => names.length === 0 || names.includes(name)
    const chosen = defects.filter(({ name }) => isChosen(name))
    const old = faultNames.filter(isChosen)
    const areSeen = old.length === 0 || (yield* proveScenarios(old))
    const areCaught = chosen.length === 0 || (yield* proveDefects(chosen))
    if (!areSeen || !areCaught) process.exitCode = 1
  })

const names = process.argv.slice(2)
const known = [...faultNames, ...defects.map(({ name }) => name)]
const unknown = names.find((name) => !known.some((one) => one === name))
if (unknown === undefined) NodeRuntime.runMain(main(names))
else {
  console.error(`${unknown}: give some of ${known.join(", ")}, or none for all`)
  process.exitCode = 2
}
