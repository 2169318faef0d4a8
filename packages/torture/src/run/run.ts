/** Runs rounds one after the other, over servers that live as long as the run. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import { check } from "../check/check.ts"
import { now } from "../clock.ts"
import { readAll } from "../history/log.ts"
import type { Options } from "../options.ts"
import type { Found, Judged } from "../report.ts"
import { type Backend, cluster, single, type StackName } from "./backend.ts"
import { planRound, type RoundPlan } from "./plan.ts"
import { runRound } from "./round.ts"

/** Judges a round, and removes its lines when it has no violation. */
const judged = (plan: RoundPlan, folder: string, keep: boolean): ReadonlyArray<Found> => {
  const violations = check(readAll(folder))
  if (violations.length === 0 && !keep) fs.rmSync(folder, { recursive: true, force: true })
  const { round, stack, wire } = plan
  return violations.map((violation) => ({ round, stack, wire, violation, folder }))
}

const backends = (chosen: ReadonlyArray<StackName>) =>
  Effect.gen(function* () {
    const needsCluster = chosen.includes("memory+cluster")
    const needsSingle = chosen.some((stack) => stack !== "memory+cluster")
    const [one, three] = yield* Effect.all(
      [needsSingle ? single : Effect.undefined, needsCluster ? cluster : Effect.undefined],
      { concurrency: "unbounded" },
    )
    return (stack: StackName): Backend => (stack === "memory+cluster" ? three! : one!)
  })

/** The folder stays when it has a violation; otherwise it is removed, also on interruption. */
const folderOfRun = (isNeeded: () => boolean) =>
  Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "larder-torture-"))),
    (folder) =>
      Effect.sync(() => {
        if (!isNeeded()) fs.rmSync(folder, { recursive: true, force: true })
      }),
  )

export interface Progress {
  readonly begun: (plan: RoundPlan) => void
  readonly judged: (round: Judged) => void
}

/** Starts rounds for as long as the options say, at least one. */
export const run = (options: Options, progress: Progress) =>
  Effect.gen(function* () {
    const end = now() + options.seconds * 1_000
    const backendOf = yield* backends(options.stacks)
    const rounds: Array<Judged> = []
    const isNeeded = () => options.keep || rounds.some(({ found }) => found.length > 0)
    const root = yield* folderOfRun(isNeeded)
    for (let round = options.round; rounds.length === 0 || now() < end; round += 1) {
      const plan = planRound(options, round)
      progress.begun(plan)
      const folder = path.join(root, `round-${round}`)
      const began = now()
      const backend = backendOf(plan.stack)
      const result = yield* Effect.scoped(runRound(plan, options.nodes, backend, folder))
      const found = judged(plan, folder, options.keep)
      const one: Judged = { ...result, millis: now() - began, found }
      progress.judged(one)
      rounds.push(one)
    }
    return rounds
  }).pipe(Effect.scoped)
