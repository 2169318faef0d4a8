/** The command line. `node examples/shop/src/main.ts --help` lists the options. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Layer, Option } from "effect"
import { CliError, Command, Flag } from "effect/cli"
import { defaultCapacity } from "./contenders.ts"
import { type Display, run } from "./demo.ts"

/** A bounded number; the error names the given value and the valid range. */
const number = (name: string, kind: "whole number" | "number", least: number, most: number) =>
  Flag.String(name).pipe(
    Flag.withMetavar("number"),
    Flag.filterMap(
      (text) => {
        const n = text.trim() === "" ? Number.NaN : Number(text)
        const fits = n >= least && n <= most && (kind === "number" || Number.isInteger(n))
        return fits ? Option.some(n) : Option.none()
      },
      () => `Expected a ${kind} from ${least} to ${most}`,
    ),
  )

const rate = number("rate", "whole number", 1, 5_000).pipe(
  Flag.withDescription("Requests per second to each shop, 1 to 5000; 300 by default"),
  Flag.withDefault(300),
)
// A longer run would outlive the larder's ten minutes of stale-if-error.
const phaseSeconds = number("phase-seconds", "number", 0.5, 60).pipe(
  Flag.withDescription(
    "Length of each of the eight phases, 0.5 to 60; by default 5, or 1.2 with --fast",
  ),
  Flag.optional,
)
const outageSeconds = number("outage-seconds", "number", 0.5, 60).pipe(
  Flag.withDescription(
    "Length of the outage alone, 0.5 to 60; by default that of the other phases. Alerts need longer outages than customers: see the README",
  ),
  Flag.optional,
)
const inFlight = number("in-flight", "whole number", 1, 10_000).pipe(
  Flag.withDescription(
    "The most requests in flight in each shop, 1 to 10000, others are turned away; 500 by default",
  ),
  Flag.withDefault(500),
)
const capacity = number("capacity", "whole number", 1, 1_000_000).pipe(
  Flag.withDescription(
    `The most products in the memory of a shop with a TTL cache or Larder, 1 to 1000000; ${defaultCapacity} by default, more than the generated traffic asks for: to see evictions, give fewer`,
  ),
  Flag.withDefault(defaultCapacity),
)
const seed = number("seed", "whole number", 0, 2 ** 31).pipe(
  Flag.withDescription(
    "Fixes the generated traffic, and the catalogue's latencies and faults, 0 to 2147483648; 12 by default",
  ),
  Flag.withDefault(12),
)
const trace = Flag.String("trace").pipe(
  Flag.withMetavar("file"),
  Flag.withDescription(
    "A recording to replay instead of generated traffic: an access log in Common or Combined Log Format, JSON lines (see --field), or one key per line; gzipped or not",
  ),
  Flag.optional,
)
const field = Flag.String("field").pipe(
  Flag.withMetavar("name"),
  Flag.withDescription(
    "Of JSON lines: the field that holds the key, by its name or by a path such as request.uri",
  ),
  Flag.optional,
)
const from = number("from", "whole number", 0, 1_000_000).pipe(
  Flag.withDescription(
    "Place in the traffic to begin at, 0 to 1000000; after its end it begins again; 0 by default",
  ),
  Flag.withDefault(0),
)
const fast = Flag.Boolean("fast").pipe(
  Flag.withDescription("A short run of about ten seconds"),
  Flag.withDefault(false),
)

const sqlite = Flag.String("sqlite").pipe(
  Flag.withMetavar("file"),
  Flag.withDescription(
    "The file in which Larder keeps products over a restart; by default a new one in a temporary folder",
  ),
  Flag.optional,
)
const redis = Flag.String("redis").pipe(
  Flag.withMetavar("url"),
  Flag.withDescription("A Redis server as the farthest tier, such as redis://127.0.0.1:6379"),
  Flag.optional,
)
const ladder = Flag.Boolean("ladder").pipe(
  Flag.withDescription(
    "One shop for each step, from no cache to Larder over all tiers, and a row for each",
  ),
  Flag.withDefault(false),
)
const nodes = number("nodes", "whole number", 2, 16).pipe(
  Flag.withDescription(
    "As many processes over one Redis, 2 to 16, that show how long a price change takes to all of them; without --redis the demo starts a server of its own",
  ),
  Flag.optional,
)

const metrics = number("metrics", "whole number", 0, 65_535).pipe(
  Flag.withDescription(
    "Serves the metrics of the Larder shop at /metrics on this port of 127.0.0.1 while the demo runs, and those of --nodes on the next ports, 0 to 65535; 0 chooses free ones",
  ),
  Flag.optional,
)
const figures = Flag.Boolean("figures").pipe(
  Flag.withDescription(
    "Reads these metrics during the run, and prints at the end what they say to each question that a cache must answer",
  ),
  Flag.withDefault(false),
)

const terminal: Display = {
  everyMillis: 200,
  show: (line) =>
    Effect.sync(() =>
      process.stdout.write(`\r\u001b[2K${line.slice(0, process.stdout.columns - 1)}`),
    ),
  clear: Effect.sync(() => process.stdout.write("\r\u001b[2K")),
}

const lines: Display = {
  everyMillis: 1_000,
  show: (line) => Effect.sync(() => process.stdout.write(`${line}\n`)),
  clear: Effect.void,
}

const shop = Command.make(
  "shop",
  {
    trace,
    field,
    rate,
    phaseSeconds,
    outageSeconds,
    inFlight,
    capacity,
    from,
    seed,
    fast,
    sqlite,
    redis,
    ladder,
    nodes,
    metrics,
    figures,
  },
  ({
    fast,
    field,
    metrics,
    nodes,
    outageSeconds,
    phaseSeconds,
    redis,
    sqlite,
    trace,
    ...settings
  }) =>
    run(
      {
        ...settings,
        phaseSeconds: Option.getOrElse(phaseSeconds, () => (fast ? 1.2 : 5)),
        outageSeconds: Option.getOrUndefined(outageSeconds),
        trace: Option.getOrUndefined(trace),
        field: Option.getOrUndefined(field),
        sqlite: Option.getOrUndefined(sqlite),
        redis: Option.getOrUndefined(redis),
        nodes: Option.getOrUndefined(nodes),
        metrics: Option.getOrUndefined(metrics),
      },
      process.stdout.isTTY ? terminal : lines,
    ).pipe(
      Effect.mapError((cause) => new CliError.UserError({ cause, userMessage: cause.message })),
    ),
).pipe(
  Command.withDescription(
    "Replays traffic, generated or your own, to a shop without a cache, one with a TTL cache and one with Larder, in front of a catalogue that is slow, flaky and sometimes down. Exit status 0 only if the outage cost no customer of the last one a page it had shown before.",
  ),
)

// The reader of the output has gone, as with `| head`; the catalogue's process ends by itself.
process.stdout.once("error", () => process.exit(1))

Command.run(shop, { version: "0.1.0" }).pipe(
  Effect.provide(Layer.merge(NodeServices.layer, NodeHttpClient.layerUndici)),
  NodeRuntime.runMain,
)
