/** One redis-server process. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as child from "./childProcess.ts"
import { freePort } from "./freePort.ts"
import { programOf } from "./program.ts"
import { eventually, inRealTime } from "./realTime.ts"
import { command, type Target } from "./redisCommand.ts"
import { RedisServerError } from "./redisError.ts"
import type { Reply } from "./reply.ts"

/**
 * Options of {@link start}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /** The path of the server's program. Default: the one that {@link find} returns. */
  readonly program?: string | undefined
  /** Lines of `redis.conf` by their first word, such as `{ maxmemory: "10mb" }`; several of a kind as an array. */
  readonly config?: Readonly<Record<string, string | ReadonlyArray<string>>> | undefined
  /** Listen on a unix socket as well. Default `false`. */
  readonly unixSocket?: boolean | undefined
  /** Require this password from every client. Default: none. */
  readonly password?: string | undefined
  /**
   * Listen for TLS as well, on a port of its own: PEM texts. Clients need no certificate. Default:
   * no TLS.
   */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string } | undefined
}

/**
 * A running server, unless a test killed it. Every operation is bounded in time.
 *
 * @category models
 * @since 0.1.0
 */
export interface RedisServer {
  /** The loopback address. */
  readonly host: "127.0.0.1"
  /** The TCP port. */
  readonly port: number
  /** The port for TLS, if `tls` was given. */
  readonly tlsPort: number | undefined
  /** The path of the socket, if `unixSocket` was given. */
  readonly unixSocket: string | undefined
  /** `redis://127.0.0.1:port`, with the password if there is one. */
  readonly url: string
  /** The working directory of the server. */
  readonly folder: string
  /** The current process id; a restart changes it. */
  readonly pid: Effect.Effect<number>
  /** The server's output so far. */
  readonly log: Effect.Effect<string>
  /**
   * Kills the server without a chance to save or to close connections, and waits until it is gone.
   * Default `SIGKILL`.
   */
  readonly kill: (signal?: "SIGKILL" | "SIGTERM") => Effect.Effect<void, RedisServerError>
  /** Shuts the server down in order; its data stays on disk. */
  readonly stop: Effect.Effect<void, RedisServerError>
  /**
   * Freezes the server: it keeps its connections, the kernel accepts new ones, and no command gets
   * a reply.
   */
  readonly freeze: Effect.Effect<void>
  /** Continues a frozen server. */
  readonly thaw: Effect.Effect<void>
  /**
   * Starts the server again on the same port, and ends it first if it is running. With `keepData` a
   * running server saves first, and the new process loads the data from disk; otherwise (the
   * default) it comes back empty.
   */
  readonly restart: (options?: {
    readonly keepData?: boolean | undefined
  }) => Effect.Effect<void, RedisServerError>
  /** Sends one command on a connection of its own; an error reply is a `RedisServerError` with reason `Refused`. */
  readonly cli: (...args: ReadonlyArray<string>) => Effect.Effect<Reply, RedisServerError>
  /** The fields of `INFO`, by name. */
  readonly info: (section?: string) => Effect.Effect<ReadonlyMap<string, string>, RedisServerError>
  /**
   * How often each command was called since the server started, including the commands of scripts.
   */
  readonly calls: Effect.Effect<ReadonlyMap<string, number>, RedisServerError>
}

/**
 * The server's program: the one that `LARDER_REDIS_SERVER` names, else `redis-server` or
 * `valkey-server` on the `PATH`; `undefined` when there is none. Tests skip on it.
 *
 * **Example**
 *
 * ```ts
 * import * as RedisServer from "@larder/testing/RedisServer"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = await Effect.runPromise(RedisServer.find)
 * assert.match(program ?? "", /(redis|valkey)-server$/)
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const find: Effect.Effect<string | undefined> = programOf("LARDER_REDIS_SERVER", [
  "redis-server",
  "valkey-server",
])

/**
 * Valkey's program: the one that `LARDER_VALKEY_SERVER` names, else `valkey-server` on the `PATH`;
 * `undefined` when there is none. For tests that run on Redis and on Valkey.
 *
 * **Example**
 *
 * ```ts
 * import * as RedisServer from "@larder/testing/RedisServer"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = await Effect.runPromise(RedisServer.findValkey)
 * assert.ok(program === undefined || program.includes("valkey"))
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const findValkey: Effect.Effect<string | undefined> = programOf("LARDER_VALKEY_SERVER", [
  "valkey-server",
])

const lines = (config: NonNullable<Options["config"]>): string =>
  Object.entries(config)
    .flatMap(([name, values]) =>
      (typeof values === "string" ? [values] : values).map((value) => `${name} ${value}\n`),
    )
    .join("")

interface Place {
  readonly program: string
  readonly folder: string
  readonly port: number
  readonly tlsPort: number | undefined
  readonly options: Options
  /** Sentinel keeps its state in its configuration file, so a restart must not write it again. */
  readonly sentinel: boolean
}

const file = (place: Place, name: string): string => path.join(place.folder, name)
const socketOf = (place: Place): string | undefined =>
  place.options.unixSocket === true ? file(place, "redis.sock") : undefined

const tlsLines = (place: Place): Readonly<Record<string, string>> =>
  place.tlsPort === undefined
    ? {}
    : {
        "tls-port": String(place.tlsPort),
        "tls-cert-file": file(place, "cert.pem"),
        "tls-key-file": file(place, "key.pem"),
        "tls-ca-cert-file": file(place, "ca.pem"),
        "tls-auth-clients": "no",
      }

const configuration = (place: Place): string => {
  const socket = socketOf(place)
  const { password } = place.options
  return lines({
    port: String(place.port),
    bind: "127.0.0.1",
    dir: place.folder,
    daemonize: "no",
    ...(place.sentinel ? {} : { save: '""', appendonly: "no", "repl-diskless-sync-delay": "0" }),
    ...(socket === undefined ? {} : { unixsocket: socket }),
    ...(password === undefined ? {} : { requirepass: password, masterauth: password }),
    ...tlsLines(place),
    ...place.options.config,
  })
}

const prepare = (place: Place): void => {
  fs.mkdirSync(place.folder, { recursive: true })
  fs.writeFileSync(file(place, "redis.conf"), configuration(place))
  const { tls } = place.options
  if (tls === undefined) return
  fs.writeFileSync(file(place, "cert.pem"), tls.cert)
  fs.writeFileSync(file(place, "key.pem"), tls.key)
  fs.writeFileSync(file(place, "ca.pem"), tls.ca)
}

const readLog = (place: Place): string => {
  try {
    return fs.readFileSync(file(place, "server.log"), "utf8")
  } catch {
    return ""
  }
}

const fail = (place: Place, reason: RedisServerError["reason"], detail: string) =>
  Effect.fail(new RedisServerError({ reason, detail, log: readLog(place) }))

const forget = (place: Place): void => {
  for (const name of ["dump.rdb", "appendonlydir", "appendonly.aof"]) {
    fs.rmSync(file(place, name), { recursive: true, force: true })
  }
}

const parseInfo = (text: string): ReadonlyMap<string, string> =>
  new Map(
    text
      .split("\r\n")
      .filter((line) => line.includes(":"))
      .map((line) => {
        const colon = line.indexOf(":")
        return [line.slice(0, colon), line.slice(colon + 1)] as const
      }),
  )

const infoOf = (target: Target, section?: string) =>
  Effect.map(command(target, "INFO", ...(section === undefined ? [] : [section])), (reply) =>
    parseInfo(String(reply)),
  )

const calls = (info: ReadonlyMap<string, string>): ReadonlyMap<string, number> =>
  new Map(
    [...info].map(([name, fields]) => [
      name.replace(/^cmdstat_/, ""),
      Number(/calls=(\d+)/.exec(fields)?.[1] ?? 0),
    ]),
  )

const waitUntilGone = (process: child.Child) =>
  eventually(
    `process ${process.pid} is gone`,
    Effect.sync(() => process.hasExited()),
  )

const end = (process: child.Child, signal: NodeJS.Signals) =>
  Effect.suspend(() => {
    process.signal(signal)
    return waitUntilGone(process)
  })

const targetOf = (place: Place): Target => ({
  port: place.port,
  auth: place.options.password === undefined ? undefined : ["AUTH", place.options.password],
})

/** Ready when the server that answers on the port is the process that was started. */
const ready = (place: Place, process: child.Child) =>
  eventually(
    `the server on port ${place.port} answers`,
    Effect.suspend(() =>
      process.hasExited()
        ? Effect.succeed(true)
        : Effect.map(
            infoOf(targetOf(place), "server"),
            (info) => info.get("process_id") === String(process.pid),
          ),
    ),
  ).pipe(
    Effect.catch((error) => fail(place, "NotStarted", error.message)),
    Effect.flatMap(() =>
      process.hasExited()
        ? fail(place, "NotStarted", `${place.program} ended at once`)
        : loaded(place),
    ),
  )

const loaded = (place: Place) =>
  eventually(
    `the server on port ${place.port} has loaded its data`,
    Effect.map(infoOf(targetOf(place)), (info) => info.get("loading") !== "1"),
  )

const launch = (place: Place): Effect.Effect<child.Child, RedisServerError> =>
  child
    .start({
      command: place.program,
      args: [file(place, "redis.conf"), ...(place.sentinel ? ["--sentinel"] : [])],
      folder: place.folder,
      log: file(place, "server.log"),
    })
    .pipe(
      Effect.catch((cause) => fail(place, "NotStarted", `${place.program}: ${cause.message}`)),
      Effect.tap((process) =>
        // End a server that does not become ready: nothing else would.
        Effect.onError(ready(place, process), () => Effect.ignore(end(process, "SIGKILL"))),
      ),
    )

const urlOf = ({ port, options }: Place): string =>
  options.password === undefined
    ? `redis://127.0.0.1:${port}`
    : `redis://:${encodeURIComponent(options.password)}@127.0.0.1:${port}`

const serverOf = (place: Place, first: child.Child): RedisServer => {
  let process = first
  const target = targetOf(place)
  const cli = (...args: ReadonlyArray<string>) => inRealTime(command(target, ...args))
  const info = (section?: string) => inRealTime(infoOf(target, section))
  const kill = (signal: "SIGKILL" | "SIGTERM" = "SIGKILL") =>
    Effect.suspend(() => end(process, signal))
  const running = Effect.sync(() => !process.hasExited())
  const saved = Effect.flatMap(running, (yes) => (yes ? Effect.ignore(cli("SAVE")) : Effect.void))
  const stop = Effect.andThen(saved, kill())
  return {
    host: "127.0.0.1",
    port: place.port,
    tlsPort: place.tlsPort,
    unixSocket: socketOf(place),
    url: urlOf(place),
    folder: place.folder,
    pid: Effect.sync(() => process.pid),
    log: Effect.sync(() => readLog(place)),
    kill,
    stop,
    freeze: Effect.sync(() => process.signal("SIGSTOP")),
    thaw: Effect.sync(() => process.signal("SIGCONT")),
    restart: (options) =>
      Effect.gen(function* () {
        yield* options?.keepData === true ? stop : kill()
        if (options?.keepData !== true) forget(place)
        process = yield* launch(place)
      }).pipe(Effect.uninterruptible, inRealTime),
    cli,
    info,
    calls: Effect.map(info("commandstats"), calls),
  }
}

const place = (options: Options, sentinel: boolean) =>
  Effect.gen(function* () {
    const program = options.program ?? (yield* find)
    if (program === undefined) {
      return yield* new RedisServerError({
        reason: "NotFound",
        detail:
          "no redis-server: install Redis or Valkey, or name the program in LARDER_REDIS_SERVER",
        log: "",
      })
    }
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "larder-redis-"))
    const port = yield* freePort
    const tlsPort = options.tls === undefined ? undefined : yield* freePort
    return { program, folder, port, tlsPort, options, sentinel } satisfies Place
  })

const opened = (options: Options, sentinel: boolean) =>
  Effect.gen(function* () {
    const here = yield* place(options, sentinel)
    return yield* Effect.sync(() => prepare(here)).pipe(
      Effect.andThen(launch(here)),
      Effect.map((process) => ({ here, server: serverOf(here, process) })),
      Effect.onError(() =>
        Effect.sync(() => fs.rmSync(here.folder, { recursive: true, force: true })),
      ),
    )
  })

const taken = (error: RedisServerError): boolean =>
  /address already in use|could not create server|failed listening/i.test(error.log)

const acquire = (options: Options, sentinel: boolean) =>
  Effect.acquireRelease(
    // Race: another process may take the port between its choice and its use.
    opened(options, sentinel).pipe(Effect.retry({ times: 5, while: taken }), inRealTime),
    ({ here, server }) =>
      Effect.ignore(server.kill()).pipe(
        Effect.andThen(Effect.sync(() => fs.rmSync(here.folder, { recursive: true, force: true }))),
      ),
  ).pipe(Effect.map(({ server }) => server))

/**
 * Starts a server of its own on a free loopback port, in a temporary folder, empty and without
 * persistence. Both are removed when the scope closes, and also when this process ends or is
 * killed.
 *
 * **Example**
 *
 * ```ts
 * import * as RedisServer from "@larder/testing/RedisServer"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const server = yield* RedisServer.start({ config: { maxmemory: "10mb" } })
 *   yield* server.cli("SET", "a", "1")
 *   yield* server.restart()
 *   return yield* server.cli("GET", "a")
 * })
 * assert.strictEqual(await Effect.runPromise(Effect.scoped(program)), null)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const start = (
  options: Options = {},
): Effect.Effect<RedisServer, RedisServerError, Scope.Scope> => acquire(options, false)

/** A Sentinel: `config` must hold its `sentinel` lines. */
export const startSentinel = (
  config: NonNullable<Options["config"]>,
  program?: string,
): Effect.Effect<RedisServer, RedisServerError, Scope.Scope> => acquire({ config, program }, true)
