/** Runs rounds one after the other, over servers that live as long as the run. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { check } from "../check/check.ts"
import { now } from "../clock.ts"
import { readAll } from "../history/log.ts"
import type { Options } from "../options.ts"
import type { Found, Judged } from "../report.ts"
import { type Backend, kindOf, type StackName, start } from "./backend.ts"
import { planRound, type RoundPlan } from "./plan.ts"
import { runRound } from "./round.ts"

/** Judges a round, and removes its lines when it has no violation. */
const judged = (plan: RoundPlan, folder: string, keep: boolean): ReadonlyArray<Found> => {
  const violations = check(readAll(folder))
  if (violations.length === 0 && !keep) fs.rmSync(folder, { recursive: true, force: true })
  const { round, stack, wire } = plan
  return violations.map((violation) => ({ round, stack, wire, violation, folder }))
}

/** Starts the servers of a stack when a round first needs them; they live as long as the run. */
const backends = Effect.map(Effect.scope, (scope) => {
  const started = new Map<string, Backend>()
  return (stack: StackName, program: string) =>
    Effect.gen(function* () {
      const kind = kindOf(stack)
      const name = `${kind} ${program}`
      const known = started.get(name)
      if (known !== undefined) return known
      const backend = yield* Scope.provide(start(kind, program), scope)
      started.set(name, backend)
      return backend
    })
})

/** The servers' programs: Redis or what takes its place, and Valkey where there is one beside it. */
const programs = Effect.map(Effect.all([RedisServer.find, RedisServer.findValkey]), (found) => [
  ...new Set(found.filter((program) => program !== undefined)),
])

/** Each program gets a round of each stack, then the next one. */
const programOf = (all: ReadonlyArray<string>, { stacks }: Options, round: number): string =>
  all[Math.floor((round - 1) / stacks.length) % all.length]!

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
  /** `server` is the name of the servers' program. */
  readonly begun: (plan: RoundPlan, server: string) => void
  readonly judged: (round: Judged) => void
}

/** Starts rounds for as long as the options say, at least one. */
export const run = (options: Options, progress: Progress) =>
  Effect.gen(function* () {
    const end = now() + options.seconds * 1_000
    const backendFor = yield* backends
    const installed = yield* programs
    const rounds: Array<Judged> = []
    const isNeeded = () => options.keep || rounds.some(({ found }) => found.length > 0)
    const root = yield* folderOfRun(isNeeded)
    for (let round = options.round; rounds.length === 0 || now() < end; round += 1) {
      const plan = planRound(options, round)
      const program = programOf(installed, options, round)
      progress.begun(plan, path.basename(program))
      const folder = path.join(root, `round-${round}`)
      const began = now()
      const backend = yield* backendFor(plan.stack, program)
      const result = yield* Effect.scoped(runRound(plan, options.nodes, backend, folder))
      const found = judged(plan, folder, options.keep)
      const one: Judged = { ...result, millis: now() - began, found }
      progress.judged(one)
      rounds.push(one)
    }
    return rounds
  }).pipe(Effect.scoped)
