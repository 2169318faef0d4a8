/** The command line. `node examples/services/src/main.ts --help` lists the options. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Data, Effect, Option } from "effect"
import { CliError, Command, Flag } from "effect/cli"
import * as Report from "./report.ts"
import { run } from "./scenario.ts"
import { wentBack } from "./sighting.ts"
import { ways } from "./way.ts"

class PricesWentBack extends Data.TaggedError("PricesWentBack")<{}> {
  override get message(): string {
    return "A price went back"
  }
}

const way = Flag.Literals("way", ways).pipe(
  Flag.withDescription(
    "How the owner changes a price: guarded by its version, unguarded, or by a set after the save; guarded by default",
  ),
  Flag.withDefault("guarded" as const),
)
const url = Flag.String("url").pipe(
  Flag.withMetavar("url"),
  Flag.withDescription(
    "The Redis server, such as redis://127.0.0.1:6379; by default one that is started, and ended",
  ),
  Flag.optional,
)

const services = Command.make("services", { way, url }, ({ url, way }) =>
  Effect.gen(function* () {
    const outcome = yield* run({ way, url: Option.getOrUndefined(url) })
    yield* Console.log([...Report.story(outcome), "", ...Report.verdict(outcome)].join("\n"))
    if (wentBack(outcome.sightings).length > 0) return yield* new PricesWentBack()
  }).pipe(
    Effect.mapError((cause) => new CliError.UserError({ cause, userMessage: cause.message })),
  ),
).pipe(
  Command.withDescription(
    "Three services share prices over a Redis server. A clerk, a program in Python and a job of the database change them, and each service says what it reads.",
  ),
)

Command.run(services, { version: "0.1.0" }).pipe(
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain,
)
