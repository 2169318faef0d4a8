/**
 * `pnpm simulate:proof [name...]`: puts defects into a copy of the sources, one at a time, and simulates
 * until a law is broken. Exits with 1 when a defect stays unseen.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { copy, type Edit, remove } from "@larder/mutate/copy"
import * as Effect from "effect/Effect"
import { now } from "../clock.ts"
import { type Defect, defects } from "./defects.ts"
import { hunt } from "./hunt.ts"

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

const main = (names: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const chosen = defects.filter(({ name }) => names.length === 0 || names.includes(name))
    console.log("| defect | what the larder does | seeds | time | laws that break |")
    console.log("| --- | --- | --: | --: | --- |")
    const seeds = (yield* Effect.forEach(chosen, prove)).filter((seed) => seed !== undefined)
    console.log(`\n${seeds.length} of ${chosen.length} defects seen`)
    const isClean = yield* passes([], Math.max(1, ...seeds))
    if (isClean) console.log("without a defect, the same seeds break no law")
    if (seeds.length < chosen.length || !isClean) process.exitCode = 1
  })

const names = process.argv.slice(2)
const unknown = names.find((name) => defects.every((defect) => defect.name !== name))
if (unknown === undefined) NodeRuntime.runMain(main(names))
else {
  const known = defects.map(({ name }) => name).join(", ")
  console.error(`${unknown}: give some of ${known}, or none for all`)
  process.exitCode = 2
}
