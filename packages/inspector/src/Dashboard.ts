/**
 * A dashboard for Grafana over the metrics of larders: one row for each question that a cache must answer.
 *
 * @module
 * @category observing
 * @since 0.1.0
 */
import { InvalidOptions } from "@larder/core"
import * as Result from "effect/Result"
import { laidOut, type PlacedPanel, type PlacedRow } from "./internal/layout.ts"
import { rows } from "./internal/rows.ts"
import { variables, type Variable } from "./internal/variables.ts"

/**
 * Options of {@link make}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /** The title. Default `"Larder"`. */
  readonly title?: string | undefined
  /** The identity of the dashboard in Grafana, by which a new version takes the place of the old. Default `"larder"`. */
  readonly uid?: string | undefined
}

/**
 * A dashboard as Grafana imports it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Dashboard {
  readonly uid: string
  readonly title: string
  readonly tags: Array<string>
  readonly timezone: string
  readonly editable: boolean
  readonly refresh: string
  /** The version of Grafana's format. */
  readonly schemaVersion: number
  readonly time: { readonly from: string; readonly to: string }
  readonly templating: { readonly list: Array<Variable> }
  readonly panels: Array<PlacedPanel | PlacedRow>
}

const names: Readonly<Record<keyof Options, true>> = { title: true, uid: true }

const mistakeIn = (options: Options): InvalidOptions | undefined => {
  const misnamed = InvalidOptions.ofNames({ module: "Dashboard", names, got: options })
  if (misnamed !== undefined) return misnamed
  const { title = "Larder", uid = "larder" } = options
  if (typeof title !== "string" || title.trim() === "") {
    return InvalidOptions.of({ module: "Dashboard", field: "title", must: "be a text", got: title })
  }
  if (typeof uid === "string" && /^[\w-]{1,40}$/.test(uid)) return undefined
  const must = "have 1 to 40 letters, digits, - and _"
  return InvalidOptions.of({ module: "Dashboard", field: "uid", must, got: uid })
}

/**
 * {@link make} for options from outside: returns the `InvalidOptions` instead of throwing it.
 *
 * **Example**
 *
 * ```ts
 * import { Dashboard } from "@larder/inspector"
 * import { Result } from "effect"
 * import * as assert from "node:assert"
 *
 * assert.ok(Result.isFailure(Dashboard.makeResult({ uid: "no spaces" })))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeResult = (options: Options = {}): Result.Result<Dashboard, InvalidOptions> => {
  const mistake = mistakeIn(options)
  if (mistake !== undefined) return Result.fail(mistake)
  return Result.succeed({
    uid: options.uid ?? "larder",
    title: options.title ?? "Larder",
    tags: ["cache", "larder"],
    timezone: "browser",
    editable: true,
    refresh: "30s",
    schemaVersion: 39,
    time: { from: "now-6h", to: "now" },
    templating: { list: variables() },
    panels: laidOut(rows),
  })
}

/**
 * A dashboard for all larders of a Prometheus, to be imported into Grafana as JSON.
 *
 * **When to use**
 *
 * Use where dashboards are made by a program; the command `larder dashboard` prints the same. Some
 * panels read series that the rules of `Rules.make` record.
 *
 * **Gotchas**
 *
 * Throws `InvalidOptions`; {@link makeResult} returns it.
 *
 * **Example**
 *
 * ```ts
 * import { Dashboard } from "@larder/inspector"
 * import * as assert from "node:assert"
 *
 * const { panels } = Dashboard.make({ title: "Caches" })
 * const questions = panels.flatMap((panel) => (panel.type === "row" ? [panel.title] : []))
 * assert.strictEqual(questions[0], "Are callers well?")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Dashboard => Result.getOrThrow(makeResult(options))
