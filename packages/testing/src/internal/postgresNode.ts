/** One Postgres server in a process of its own. */
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as child from "./childProcess.ts"
import { freePort } from "./freePort.ts"
import { PostgresServerError } from "./postgresError.ts"
import { find, type Programs } from "./postgresPrograms.ts"
import { otherUser, type User } from "./postgresUser.ts"
import { eventually, inRealTime } from "./realTime.ts"

/**
 * Options of {@link start}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /** Settings of the server, such as `{ max_connections: "20" }`. */
  readonly config?: Readonly<Record<string, string>> | undefined
}

/**
 * A running server. `kill`, `freeze` and the like act on the process; they wait for its end where that
 * is their purpose.
 *
 * @category models
 * @since 0.1.0
 */
export interface PostgresServer {
  readonly host: "127.0.0.1"
  /** Its number among the ports of TCP; never 5432. */
  readonly port: number
  /** The only user, which needs no password. */
  readonly user: "postgres"
  readonly database: "postgres"
  readonly url: string
  readonly folder: string
  readonly pid: Effect.Effect<number>
  readonly log: Effect.Effect<string>
  /** Ends all its processes at once, without a checkpoint, as a crash does. */
  readonly kill: Effect.Effect<void, PostgresServerError>
  /** Starts it again, with its data. Kills it first if it runs. */
  readonly restart: Effect.Effect<void, PostgresServerError>
}

interface Place {
  readonly programs: Programs
  readonly folder: string
  readonly port: number
  readonly user: User | undefined
  readonly options: Options
}

const data = ({ folder }: Place): string => path.join(folder, "data")
const logFile = ({ folder }: Place): string => path.join(folder, "server.log")

const readLog = (place: Place): string => {
  try {
    return fs.readFileSync(logFile(place), "utf8")
  } catch {
    return ""
  }
}

const notStarted = (place: Place, detail: string) =>
  new PostgresServerError({ reason: "NotStarted", detail, log: readLog(place).slice(-4_000) })

const initialize = (place: Place): Effect.Effect<void, PostgresServerError> =>
  Effect.callback((resume) => {
    const args = ["-D", data(place), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
    const options = { ...place.user, cwd: place.folder, env: { ...process.env, LC_ALL: "C" } }
    execFile(place.programs.initdb, args, options, (cause, _, said) => {
      if (cause === null) return resume(Effect.void)
      resume(Effect.fail(notStarted(place, `initdb: ${cause.message}\n${said}`)))
    })
  })

/** No fsync: the data of a test need not outlive the machine. They outlive a crash of the server. */
const quick = { fsync: "off", full_page_writes: "off" }

const argsOf = (place: Place): ReadonlyArray<string> => {
  const settings = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    ...quick,
    ...place.options.config,
  }
  return [
    ...["-D", data(place), "-p", String(place.port)],
    ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  ]
}

const timesReady = (place: Place): number =>
  readLog(place).split("database system is ready to accept connections").length - 1

const launch = (place: Place): Effect.Effect<child.Child, PostgresServerError> =>
  Effect.gen(function* () {
    const before = timesReady(place)
    const { folder, programs, user } = place
    const process = yield* child
      .start({
        command: programs.postgres,
        args: argsOf(place),
        folder,
        log: logFile(place),
        user,
      })
      .pipe(Effect.mapError(({ message }) => notStarted(place, message)))
    const isReady = Effect.sync(() => process.hasExited() || timesReady(place) > before)
    yield* eventually("the server is ready", isReady).pipe(
      Effect.mapError(({ message }) => notStarted(place, message)),
      Effect.filterOrFail(
        () => !process.hasExited(),
        () => notStarted(place, `${programs.postgres} ended at once`),
      ),
      // End a server that does not become ready: nothing else would.
      Effect.onError(() => Effect.ignore(end(place, process))),
    )
    return process
  })

/** SIGQUIT, on which the server ends its processes: after a SIGKILL they would live on for a while. */
const end = (place: Place, process: child.Child): Effect.Effect<void, PostgresServerError> =>
  Effect.suspend(() => {
    process.signal("SIGQUIT")
    return eventually(
      `process ${process.pid} is gone`,
      Effect.sync(() => process.hasExited()),
    ).pipe(Effect.mapError(({ message }) => notStarted(place, message)))
  })

const serverOf = (place: Place, first: child.Child): PostgresServer => {
  let process = first
  const kill = Effect.suspend(() => end(place, process))
  return {
    host: "127.0.0.1",
    port: place.port,
    user: "postgres",
    database: "postgres",
    url: `postgres://postgres@127.0.0.1:${place.port}/postgres`,
    folder: place.folder,
    pid: Effect.sync(() => process.pid),
    log: Effect.sync(() => readLog(place)),
    kill: inRealTime(kill),
    restart: Effect.gen(function* () {
      if (!process.hasExited()) yield* kill
      process = yield* launch(place)
    }).pipe(Effect.uninterruptible, inRealTime),
  }
}

const opened = (options: Options) =>
  Effect.gen(function* () {
    const programs = yield* find
    if (programs === undefined) {
      const detail =
        "no initdb and postgres: install PostgreSQL, or name the folder of its programs in LARDER_POSTGRES"
      return yield* new PostgresServerError({ reason: "NotFound", detail, log: "" })
    }
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "larder-postgres-"))
    const user = otherUser()
    if (user !== undefined) fs.chownSync(folder, user.uid, user.gid)
    const place: Place = { programs, folder, port: yield* freePort, user, options }
    return yield* Effect.andThen(initialize(place), launch(place)).pipe(
      Effect.map((process) => ({ folder, server: serverOf(place, process) })),
      Effect.onError(() => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))),
    )
  })

const isTaken = ({ log }: PostgresServerError): boolean => /address already in use/i.test(log)

/**
 * Starts a server of its own on a free loopback port, in a temporary folder, empty. Both are removed
 * when the scope closes, and also when this process ends or is killed.
 *
 * **Details**
 *
 * As root it runs as the user `postgres`, since Postgres refuses root. It takes a second or two; its data
 * are not synced to the disk. A server that is installed as a service of the machine is left alone.
 *
 * **Example**
 *
 * ```ts
 * import * as PostgresServer from "@larder/testing/PostgresServer"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const server = yield* PostgresServer.start()
 *   yield* server.restart
 *   return server.url
 * })
 * const url = await Effect.runPromise(Effect.scoped(program))
 * assert.match(url, /^postgres:\/\/postgres@127\.0\.0\.1:\d+\/postgres$/)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const start = (
  options: Options = {},
): Effect.Effect<PostgresServer, PostgresServerError, Scope.Scope> =>
  Effect.acquireRelease(
    // Race: another process may take the port between its choice and its use.
    opened(options).pipe(Effect.retry({ times: 5, while: isTaken }), inRealTime),
    ({ folder, server }) =>
      Effect.andThen(
        Effect.ignore(server.kill),
        Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true })),
      ),
  ).pipe(Effect.map(({ server }) => server))
