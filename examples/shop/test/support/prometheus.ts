/** A Prometheus of a test's own, on a free port, that scrapes some pages and judges some rules. */
import type { Rules } from "@larder/inspector"
import type * as PrometheusServer from "@larder/testing/PrometheusServer"
import { Duration, Effect, FileSystem, Path, Ref, Schema, Stream } from "effect"
import { HttpClient } from "effect/http"
import { ChildProcess } from "effect/process"
import { until } from "./until.ts"

const Alerts = Schema.fromJsonString(
  Schema.Struct({
    data: Schema.Struct({
      alerts: Schema.Array(
        Schema.Struct({
          labels: Schema.Record(Schema.String, Schema.String),
          annotations: Schema.Record(Schema.String, Schema.String),
          state: Schema.String,
        }),
      ),
    }),
  }),
)

const Matrix = Schema.fromJsonString(
  Schema.Struct({
    data: Schema.Struct({
      result: Schema.Array(
        Schema.Struct({ values: Schema.Array(Schema.Tuple([Schema.Number, Schema.String])) }),
      ),
    }),
  }),
)

/** The name of an alert and its summary, filled in. */
export interface Firing {
  readonly alert: string
  readonly summary: string
}

/** Seconds since the epoch. */
export interface Span {
  readonly from: number
  readonly to: number
}

export interface Prometheus {
  readonly firing: Effect.Effect<ReadonlyArray<Firing>>
  /** The numbers of all series of a query within a span, a second apart. */
  readonly numbers: (query: string, span: Span) => Effect.Effect<ReadonlyArray<number>>
}

/** A second between two scrapes: with the minute that is usual, no rule of this run would see a rate. */
const configOf = (pages: ReadonlyArray<string>, rules: string) => ({
  global: { scrape_interval: "1s", scrape_timeout: "1s" },
  rule_files: [rules],
  scrape_configs: [
    { job_name: "shop", static_configs: [{ targets: pages.map((page) => new URL(page).host) }] },
  ],
})

const api = Effect.gen(function* () {
  const http = yield* HttpClient.HttpClient
  return (url: string, parameters: Readonly<Record<string, string>> = {}) =>
    http.get(url, { urlParams: parameters }).pipe(Effect.flatMap((response) => response.text))
})

/** Ends with the scope, and leaves nothing behind. */
export const start = Effect.fnUntraced(function* (
  { prometheus }: PrometheusServer.Programs,
  pages: ReadonlyArray<string>,
  rules: Rules.RuleFile,
) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const get = yield* api
  const folder = yield* files.makeTempDirectoryScoped({ prefix: "larder-prometheus-" })
  const [configFile, rulesFile] = [
    path.join(folder, "config.json"),
    path.join(folder, "rules.json"),
  ]
  yield* files.writeFileString(rulesFile, JSON.stringify(rules))
  yield* files.writeFileString(configFile, JSON.stringify(configOf(pages, rulesFile)))
  const child = yield* ChildProcess.make(
    prometheus,
    [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${path.join(folder, "data")}`,
      "--web.listen-address=127.0.0.1:0",
    ],
    { forceKillAfter: Duration.seconds(5) },
  )
  const address = yield* Ref.make("")
  yield* child.all.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.runForEach((line) => {
      const at = /msg="Listening on" address=(\S+)/.exec(line)?.[1]
      return at === undefined ? Effect.void : Ref.set(address, `http://${at}`)
    }),
    Effect.orDie,
    Effect.forkScoped,
  )
  const url = yield* until(Ref.get(address), (at) => at !== "")
  yield* until(
    Effect.orElseSucceed(get(`${url}/-/ready`), () => ""),
    (text) => text.includes("is Ready"),
  )
  const self: Prometheus = {
    firing: get(`${url}/api/v1/alerts`).pipe(
      Effect.flatMap(Schema.decodeEffect(Alerts)),
      Effect.map(({ data }) =>
        data.alerts.flatMap(({ annotations, labels, state }) =>
          state === "firing"
            ? [{ alert: labels["alertname"] ?? "", summary: annotations["summary"] ?? "" }]
            : [],
        ),
      ),
      Effect.orDie,
    ),
    numbers: (query, { from, to }) =>
      get(`${url}/api/v1/query_range`, {
        query,
        start: `${from}`,
        end: `${to}`,
        step: "1",
      }).pipe(
        Effect.flatMap(Schema.decodeEffect(Matrix)),
        Effect.map(({ data }) =>
          data.result.flatMap(({ values }) =>
            values.map(([, value]) => Number(value)).filter((n) => !Number.isNaN(n)),
          ),
        ),
        Effect.orDie,
      ),
  }
  return self
})
