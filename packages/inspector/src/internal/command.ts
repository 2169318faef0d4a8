/** What the command line offers. Options that are left out keep the defaults of `Rules` and `Dashboard`. */
import type { InvalidOptions } from "@larder/core"
import { CliError, Command, Flag } from "effect/cli"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Result from "effect/Result"
import * as Dashboard from "../Dashboard.ts"
import * as Rules from "../Rules.ts"

/** Prints what was made, or fails with the option that cannot be used. */
const print = (made: Result.Result<unknown, InvalidOptions>) =>
  Result.isSuccess(made)
    ? Console.log(JSON.stringify(made.success, null, 2))
    : Effect.fail(
        new CliError.UserError({ cause: made.failure, userMessage: made.failure.message }),
      )

const number = (name: string, description: string) =>
  Flag.Finite(name).pipe(
    Flag.withDescription(description),
    Flag.optional,
    Flag.map(Option.getOrUndefined),
  )

const text = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar(metavar),
    Flag.withDescription(description),
    Flag.optional,
    Flag.map(Option.getOrUndefined),
  )

const seconds = (name: string, description: string) =>
  number(name, description).pipe(
    Flag.map((value) => (value === undefined ? undefined : value * 1_000)),
  )

const rules = Command.make(
  "rules",
  {
    timeScale: number("time-scale", "Divides every window and every time; 1 by default"),
    runbook: text("runbook", "url", "The runbook that alerts link to; docs/runbook.md by default"),
    lockWait: number("lock-wait", "HighLockContention: seconds waited in each second; 0.1"),
    breakerNotClosed: seconds("breaker-seconds", "CircuitBreakerOpen: seconds since it closed; 60"),
    staleRatio: number("stale-ratio", "HighStaleHitRatio: the share of stale answers; 0.1"),
    countRevalidating: Flag.Boolean("count-revalidating").pipe(
      Flag.withDescription("HighStaleHitRatio: count stale-while-revalidate as well"),
      Flag.withDefault(false),
    ),
    warningSigmas: number("warning-sigmas", "Deviations from the day before, warning; 2"),
    criticalSigmas: number("critical-sigmas", "Deviations from the day before, critical; 3"),
    fastBurn: number("fast-burn", "FreshnessObjectiveBurning, critical; 14.4"),
    slowBurn: number("slow-burn", "FreshnessObjectiveBurning, warning; 6"),
    stampedeRate: number("stampede-rate", "Stampedes: a second; 0.1"),
    outdatedShare: number("outdated-share", "EntriesOutdated: the share that differs; 0.01"),
    gapRate: number("gap-rate", "MessageGaps: a second; 0.01"),
    oldestWrite: seconds("oldest-write-seconds", "WritesLagging: the age of a write; 60"),
  },
  (options) => print(Rules.makeResult(options)),
).pipe(Command.withDescription("Print the recording rules and alerts as a rule file of Prometheus"))

const dashboard = Command.make(
  "dashboard",
  {
    title: text("title", "text", "The title; Larder by default"),
    uid: text("uid", "id", "The identity in Grafana; larder by default"),
  },
  (options) => print(Dashboard.makeResult(options)),
).pipe(Command.withDescription("Print the dashboard as Grafana imports it"))

/** The page is in the package, beside its code: it names the alerts of the same version. */
const runbookPage = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  return yield* files.readFileString(
    yield* path.fromFileUrl(new URL("../../runbook.md", import.meta.url)),
  )
})

const runbook = Command.make("runbook", {}, () =>
  Effect.flatMap(runbookPage, (page) => Console.log(page.trimEnd())),
).pipe(Command.withDescription("Print the runbook, a paragraph for each alert, in Markdown"))

/** The program: the arguments of the process decide what it prints. */
export const command = Command.make("larder").pipe(
  Command.withDescription(
    "Alert rules with their runbook, and a dashboard, for the metrics of larders",
  ),
  Command.withSubcommands([rules, dashboard, runbook]),
  Command.run({ version: "0.1.0" }),
)
