/** Where `initdb` and `postgres` are. */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import { isExecutable, programOf, setting } from "./program.ts"

/**
 * The paths of the two programs that a server of one's own needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Programs {
  /** Makes the folder of a server. */
  readonly initdb: string
  /** The server. */
  readonly postgres: string
}

/** Debian and Ubuntu keep the programs of each major version here, and not on the `PATH`. */
const debian = "/usr/lib/postgresql"

const within = (folder: string): Programs | undefined => {
  const initdb = path.join(folder, "initdb")
  const postgres = path.join(folder, "postgres")
  return isExecutable(initdb) && isExecutable(postgres) ? { initdb, postgres } : undefined
}

const versions = (): ReadonlyArray<string> => {
  try {
    return fs.readdirSync(debian).toSorted((one, other) => Number(other) - Number(one))
  } catch {
    return []
  }
}

const ofDebian = Effect.sync(() =>
  versions()
    .map((version) => within(path.join(debian, version, "bin")))
    .find((programs) => programs !== undefined),
)

const onPath = Effect.gen(function* () {
  const initdb = yield* programOf(undefined, ["initdb"])
  const postgres = yield* programOf(undefined, ["postgres"])
  return initdb === undefined || postgres === undefined ? undefined : { initdb, postgres }
})

/**
 * The programs of Postgres: those in the folder that `LARDER_POSTGRES` names, else those on the `PATH`,
 * else those of the newest version under `/usr/lib/postgresql`; `undefined` when there are none. Tests
 * skip on it.
 *
 * **Example**
 *
 * ```ts
 * import * as PostgresServer from "@larder/testing/PostgresServer"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const programs = await Effect.runPromise(PostgresServer.find)
 * assert.match(programs?.postgres ?? "", /postgres$/)
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const find: Effect.Effect<Programs | undefined> = Effect.flatMap(
  setting("LARDER_POSTGRES"),
  (named) => {
    if (named !== "") return Effect.sync(() => within(named))
    return Effect.flatMap(onPath, (found) =>
      found === undefined ? ofDebian : Effect.succeed(found),
    )
  },
)
