/** Where `prometheus` and `promtool` are. */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import { isExecutable, programOf, setting } from "./program.ts"

/**
 * The paths of the two programs of Prometheus.
 *
 * @category models
 * @since 0.1.0
 */
export interface Programs {
  /** The server. */
  readonly prometheus: string
  /** What checks and tests rule files. */
  readonly promtool: string
}

const isFolder = (file: string): boolean =>
  fs.statSync(file, { throwIfNoEntry: false })?.isDirectory() === true

const within = (folder: string): Programs | undefined => {
  const prometheus = path.join(folder, "prometheus")
  const promtool = path.join(folder, "promtool")
  return isExecutable(prometheus) && isExecutable(promtool) ? { prometheus, promtool } : undefined
}

/** Without the variable: each on its own, since they may come from different packages. */
const onPath = Effect.gen(function* () {
  const prometheus = yield* programOf(undefined, ["prometheus"])
  const promtool = yield* programOf(undefined, ["promtool"])
  return prometheus === undefined || promtool === undefined ? undefined : { prometheus, promtool }
})

/**
 * The programs of Prometheus: those in the folder that `LARDER_PROMETHEUS` names, which may also be
 * the path of one of the two, else those on the `PATH`; `undefined` unless both are there. Tests skip
 * on it.
 *
 * **When to use**
 *
 * Use to skip the tests that need Prometheus where it is not installed. Debian and Ubuntu have both
 * programs in the package `prometheus`.
 *
 * **Example**
 *
 * ```ts
 * import * as PrometheusServer from "@larder/testing/PrometheusServer"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const programs = await Effect.runPromise(PrometheusServer.find)
 * assert.match(programs?.promtool ?? "", /promtool$/)
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const find: Effect.Effect<Programs | undefined> = Effect.flatMap(
  setting("LARDER_PROMETHEUS"),
  (named) => {
    if (named === "") return onPath
    return Effect.sync(() => within(isFolder(named) ? named : path.dirname(named)))
  },
)
