/** Runs promtool on rules and on made-up series: one process for many cases. */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import type { Rules } from "@larder/inspector"
import * as PrometheusServer from "@larder/testing/PrometheusServer"
import * as Effect from "effect/Effect"

const programs = await Effect.runPromise(PrometheusServer.find)

/** Whether promtool is there: the set-up of all tests says how to get it. */
export const hasPromtool: boolean = programs !== undefined

/** What promtool says about files of a folder of its own. */
const promtool = (
  files: Readonly<Record<string, unknown>>,
  ...args: ReadonlyArray<string>
): { readonly passed: boolean; readonly said: string } => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "larder-promtool-"))
  try {
    for (const [name, content] of Object.entries(files)) {
      fs.writeFileSync(path.join(folder, name), JSON.stringify(content))
    }
    const done = spawnSync(programs!.promtool, args, { cwd: folder, encoding: "utf8" })
    return { passed: done.status === 0, said: `${done.stdout}\n${done.stderr}` }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

/** What is wrong with the rules; empty for valid ones. */
export const problemsOf = (rules: Rules.RuleFile): string => {
  const { passed, said } = promtool({ "rules.json": rules }, "check", "rules", "rules.json")
  return passed ? "" : said
}

/** Which alerts fire, as `Alert larder severity`, by the minute. */
export type Firing = Readonly<Record<number, ReadonlyArray<string>>>

/** Made-up series, a sample each minute, and what Prometheus makes of them. */
export interface Case {
  readonly name: string
  /** The samples as promtool writes them, by the series. */
  readonly series: Readonly<Record<string, string>>
  readonly firing: Firing
  /** Alerts that fire in a minute, with their texts. */
  readonly told?: ReadonlyArray<Told>
}

export interface Told {
  readonly minute: number
  readonly alert: string
  readonly labels: Readonly<Record<string, string>>
  readonly summary: string
  readonly runbook: string
}

/** What a minute of the cases is; an accelerated Prometheus has shorter ones. */
export type Step = "1m" | "1s"

const timeOf = (minute: number | string, step: Step): string => `${minute}${step.slice(1)}`

/** Promtool shows the expression where it differs, and so the case, which it does not name. */
const commentOf = (name: string): string => ` # ${name}.`

const firingAt = (name: string, time: string, alerts: ReadonlyArray<string>) => ({
  expr: `count by (alertname, larder, severity) (ALERTS{alertstate="firing"})${commentOf(name)}`,
  eval_time: time,
  exp_samples: alerts.map((each) => {
    const [alertname = "", larder = "", severity = ""] = each.split(" ")
    return {
      labels: `{alertname="${alertname}", larder="${larder}", severity="${severity}"}`,
      value: 1,
    }
  }),
})

const toldAt = ({ alert, labels, minute, runbook, summary }: Told, step: Step) => ({
  alertname: alert,
  eval_time: timeOf(minute, step),
  exp_alerts: [{ exp_labels: labels, exp_annotations: { summary, runbook_url: runbook } }],
})

const testOf = ({ firing, name, series, told = [] }: Case, step: Step) => ({
  name,
  interval: step,
  input_series: Object.entries(series).map(([each, values]) => ({ series: each, values })),
  promql_expr_test: Object.entries(firing).map(([minute, alerts]) =>
    firingAt(name, timeOf(minute, step), alerts),
  ),
  alert_rule_test: told.map((each) => toldAt(each, step)),
})

/** What is not as expected, by the name of the case. */
export const differences = (
  rules: Rules.RuleFile,
  cases: ReadonlyArray<Case>,
  step: Step = "1m",
): ReadonlyMap<string, string> => {
  const tests = {
    rule_files: ["rules.json"],
    evaluation_interval: step,
    tests: cases.map((each) => testOf(each, step)),
  }
  const files = { "rules.json": rules, "tests.json": tests }
  const { passed, said } = promtool(files, "test", "rules", "tests.json")
  if (passed) return new Map()
  const failed = cases.filter(
    ({ name }) => said.includes(commentOf(name)) || said.includes(`name: ${name},`),
  )
  if (failed.length === 0) throw new Error(`promtool failed:\n${said}`)
  return new Map(failed.map(({ name }) => [name, said]))
}
