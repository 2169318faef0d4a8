/** The command line. `node examples/counters/src/main.ts --help` lists the options. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, Option } from "effect"
import { CliError, Command, Flag } from "effect/cli"
import { count, runs } from "./kills.ts"
import * as Report from "./report.ts"

/** A bounded whole number; the error names the given value and the valid range. */
const whole = (name: string, least: number, most: number) =>
  Flag.String(name).pipe(
    Flag.withMetavar("number"),
    Flag.filterMap(
      (text) => {
        const n = text.trim() === "" ? Number.NaN : Number(text)
        return Number.isInteger(n) && n >= least && n <= most ? Option.some(n) : Option.none()
      },
      () => `Expected a whole number from ${least} to ${most}`,
    ),
  )

const kills = whole("kills", 1, 100).pipe(
  Flag.withDescription("How many processes are killed for each way, 1 to 100; 3 by default"),
  Flag.withDefault(3),
)
const views = whole("views", 1, 1_000_000).pipe(
  Flag.withDescription(
    "How many views a process has counted when it is killed, 1 to 1000000; 2000 by default",
  ),
  Flag.withDefault(2_000),
)
const seed = whole("seed", 0, 2 ** 31).pipe(
  Flag.withDescription("Fixes which pages are viewed, 0 to 2147483648; 12 by default"),
  Flag.withDefault(12),
)

const counters = Command.make("counters", { kills, views, seed }, (settings) =>
  Effect.gen(function* () {
    yield* Console.log(
      `For each way, ${settings.kills} processes count views one after the other, and are killed with SIGKILL after ${settings.views} each.\n`,
    )
    const all = yield* Effect.forEach(runs, (run) => count(run, settings))
    yield* Console.log([...Report.table(all), "", ...Report.legend].join("\n"))
  }).pipe(
    Effect.mapError((cause) => new CliError.UserError({ cause, userMessage: cause.message })),
  ),
).pipe(
  Command.withDescription(
    "Counts page views through the source, behind it, and behind it with merge; kills the processes that count, and counts what is lost.",
  ),
)

Command.run(counters, { version: "0.1.0" }).pipe(
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain,
)
