/** The command line. `node examples/timeline/src/main.ts --help` lists the options. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, Option } from "effect"
import { CliError, Command, Flag } from "effect/cli"
import { queryMillis, run } from "./demo.ts"
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

const followers = whole("followers", 2, 20_000).pipe(
  Flag.withDescription("Followers of the author, 2 to 20000; 3000 by default"),
  Flag.withDefault(3_000),
)
const pushLimit = whole("push", 0, 20_000).pipe(
  Flag.withDescription(
    "The earliest followers, to whom posts are pushed, 0 to 20000; 1000 by default",
  ),
  Flag.withDefault(1_000),
)
const readers = whole("readers", 1, 1_000).pipe(
  Flag.withDescription("Followers who wait for the post, and read, 1 to 1000; 50 by default"),
  Flag.withDefault(50),
)
const seed = whole("seed", 0, 2 ** 31).pipe(
  Flag.withDescription("Fixes the order of readers, 0 to 2147483648; 12 by default"),
  Flag.withDefault(12),
)
const redis = Flag.Boolean("redis").pipe(
  Flag.withDescription("The nodes share a Redis server instead of this process's memory"),
  Flag.withDefault(false),
)
const url = Flag.String("url").pipe(
  Flag.withMetavar("url"),
  Flag.withDescription(
    "With --redis: the server, such as redis://127.0.0.1:6379; by default one that is started, and ended",
  ),
  Flag.optional,
)

const timeline = Command.make(
  "timeline",
  { followers, pushLimit, readers, seed, redis, url },
  ({ redis, url, ...settings }) =>
    Effect.gen(function* () {
      const { followers } = settings
      const where = redis ? "a Redis server" : "a tier in this process"
      yield* Console.log(
        `ada has ${followers} followers, who read on another node over ${where}. A query to the source takes ${queryMillis} ms.\n`,
      )
      const server = redis ? { url: Option.getOrUndefined(url) } : undefined
      const outcomes = yield* run({ ...settings, redis: server })
      yield* Console.log(
        [
          ...Report.story(outcomes[0]!.seen),
          "",
          ...Report.table(outcomes, followers),
          "",
          ...Report.legend,
        ].join("\n"),
      )
    }).pipe(
      Effect.mapError((cause) => new CliError.UserError({ cause, userMessage: cause.message })),
    ),
).pipe(
  Command.withDescription(
    "A famous author posts, quotes and deletes on one node, and followers read on another: once with posts pushed to the earliest followers and pulled by the others, once pushed to all, once pulled by all.",
  ),
)

Command.run(timeline, { version: "0.1.0" }).pipe(
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain,
)
