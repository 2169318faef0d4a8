/**
 * `pnpm torture:proof [name...]`: puts old faults back, one at a time, in a copy of the packages,
 * and tortures the copy until a rule detects the fault. Exits with 1 when one stays undetected.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { copy, remove } from "@larder/mutate/copy"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Effect from "effect/Effect"
import { type OldFault, oldFaults } from "./faults.ts"
import { hunt, round } from "./hunt.ts"

/** A user who runs torture for a few minutes would not find a fault that takes longer. */
const millis = 180_000
const seed = 1

/** What a run needs. */
const packages = ["core", "redis", "sqlite", "testing", "torture", "traces"]

const copied = (edits: OldFault["edits"]) =>
  Effect.acquireRelease(
    Effect.sync(() => copy(packages, edits)),
    (folder) => Effect.sync(() => remove(folder)),
  )

/** Without the fault the same round must pass: otherwise it proves nothing. */
const isShownAnyway = ({ only, rules }: OldFault, number: number) =>
  Effect.gen(function* () {
    const report = yield* round(yield* copied([]), { only, rules, seed }, number)
    return report !== undefined
  })

const prove = (fault: OldFault) =>
  Effect.gen(function* () {
    console.log(`${fault.name}: ${fault.what}`)
    const { edits, only, rules } = fault
    const caught = yield* hunt(yield* copied(edits), { seed, only, rules, millis })
    if (caught === undefined) {
      console.log(`  not seen in ${millis / 60_000} minutes (seed ${seed}, --only ${only})`)
      return false
    }
    const took = (caught.millis / 60_000).toFixed(1)
    console.log(
      `  seen after ${took} minutes, in round ${caught.round} of seed ${seed}, --only ${only}`,
    )
    for (const line of caught.report) console.log(`  ${line.slice(0, 300)}`)
    if (!(yield* isShownAnyway(fault, caught.round))) return true
    console.log("  the same violation occurs without the fault: this proves nothing")
    return false
  }).pipe(Effect.scoped)

const main = (names: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    if ((yield* RedisServer.find) === undefined) {
      console.log("No redis-server found, so nothing was proven. See packages/torture/README.md.")
      process.exitCode = 1
      return
    }
    const chosen = oldFaults.filter(({ name }) => names.length === 0 || names.includes(name))
    const seen = yield* Effect.forEach(chosen, prove)
    const count = seen.filter(Boolean).length
    console.log(`${count} of ${seen.length} faults seen`)
    if (count < seen.length) process.exitCode = 1
  })

const names = process.argv.slice(2)
const unknown = names.find((name) => oldFaults.every((fault) => fault.name !== name))
if (unknown === undefined) NodeRuntime.runMain(main(names))
else {
  console.error(
    `${unknown}: give some of ${oldFaults.map(({ name }) => name).join(", ")}, or none for all`,
  )
  process.exitCode = 2
}
