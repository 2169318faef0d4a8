/** The options of a user, validated once and normalised. */
import { X509Certificate } from "node:crypto"
import { type ConnectionOptions, createSecureContext } from "node:tls"
import { InvalidOptions } from "@larder/core"
import type * as Duration from "effect/Duration"
import type { PoolOptions } from "effect/persistence/Redis"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as limits from "../limits.ts"

/**
 * The address of a server.
 *
 * @category models
 * @since 0.1.0
 */
export interface Address {
  readonly host: string
  /** The TCP port. */
  readonly port: number
}

/**
 * A map from the address that a server announces, as `host:port`, to the address to connect to.
 *
 * @category models
 * @since 0.1.0
 */
export type NatMap = Readonly<Record<string, Address>>

/**
 * A secret. The client passes its text only to the server.
 *
 * @category models
 * @since 0.1.0
 */
export type Secret = string | Redacted.Redacted<string>

interface Nowhere {
  readonly url?: undefined
  readonly host?: undefined
  readonly port?: undefined
  readonly path?: undefined
  readonly sentinels?: undefined
  readonly name?: undefined
  readonly sentinelUsername?: undefined
  readonly sentinelPassword?: undefined
  readonly sentinelTls?: undefined
  readonly natMap?: undefined
  readonly cluster?: undefined
}

/**
 * One server by URL: `redis://user:password@host:port/db`, `rediss://` for TLS, or
 * `unix:///path/to/redis.sock`.
 *
 * @category options
 * @since 0.1.0
 */
export type UrlOptions = Omit<Nowhere, "url"> & { readonly url: Secret }

/**
 * One server by host and port. Either may be left out; defaults: 127.0.0.1 and 6379.
 *
 * @category options
 * @since 0.1.0
 */
export type HostOptions = Omit<Nowhere, "host" | "port"> &
  (
    | { readonly host: string; readonly port?: number | undefined }
    | { readonly host?: string | undefined; readonly port: number }
  )

/**
 * One server by the path of its unix socket.
 *
 * @category options
 * @since 0.1.0
 */
export type PathOptions = Omit<Nowhere, "path"> & { readonly path: string }

/**
 * The master of this name, found through Sentinels. Username, password, db and tls are those of the
 * servers.
 *
 * @category options
 * @since 0.1.0
 */
export type SentinelOptions = Omit<
  Nowhere,
  "sentinels" | "name" | "sentinelUsername" | "sentinelPassword" | "sentinelTls" | "natMap"
> & {
  readonly sentinels: ReadonlyArray<Address>
  readonly name: string
  readonly sentinelUsername?: string | undefined
  readonly sentinelPassword?: Secret | undefined
  readonly sentinelTls?: boolean | ConnectionOptions | undefined
  readonly natMap?: NatMap | undefined
}

/**
 * Some nodes of a Cluster; the client learns the others from them.
 *
 * @category options
 * @since 0.1.0
 */
export type ClusterOptions = Omit<Nowhere, "cluster"> & {
  readonly cluster: {
    readonly nodes: ReadonlyArray<Address>
    readonly natMap?: NatMap | undefined
  }
}

/**
 * The options of a connection, however the server is found.
 *
 * @category options
 * @since 0.1.0
 */
export interface CommonOptions {
  /** The ACL user. Default: the server's `default` user. */
  readonly username?: string | undefined
  /** The password of the user. Default: none. */
  readonly password?: Secret | undefined
  /** The number of the database; a Cluster has only 0. Default 0. */
  readonly db?: number | undefined
  /**
   * `true`, or the options of Node's `tls.connect`, such as `{ ca }`. Default `false`, `true` for
   * `rediss://`.
   */
  readonly tls?: boolean | ConnectionOptions | undefined
  /** The name that `CLIENT LIST` shows. Default: none. */
  readonly connectionName?: string | undefined
  /**
   * A command without an answer by then fails with reason `Timeout`. A connection that is silent
   * for twice as long while an answer is due is dropped and made anew. Default 1 second.
   */
  readonly commandTimeout?: Duration.Input | undefined
  /**
   * The limit of one attempt to connect. In a process that has just started, commands wait at most
   * this long for the first attempt. Default 2 seconds.
   */
  readonly connectTimeout?: Duration.Input | undefined
  /**
   * The pause before the n-th attempt to reconnect is between half and all of `base * 2^(n-1)`, at
   * most `max`; attempts never end. Default 50 millis and 1 second.
   */
  readonly reconnect?:
    | { readonly base?: Duration.Input | undefined; readonly max?: Duration.Input | undefined }
    | undefined
  /** The interval at which idle connections are pinged. Default 5 seconds; `Infinity` for never. */
  readonly heartbeat?: Duration.Input | undefined
  /**
   * Options of the dedicated connections behind `Redis.reserve`; see `PoolOptions` of
   * effect/persistence/Redis.
   */
  readonly pool?: PoolOptions | undefined
}

/**
 * The address of the Redis, in one of five ways, and the options of its connection.
 *
 * @category options
 * @since 0.1.0
 */
export type Options = CommonOptions &
  (UrlOptions | HostOptions | PathOptions | SentinelOptions | ClusterOptions)

/** The server or servers to connect to. */
export type Place =
  | { readonly _tag: "Host"; readonly address: Address }
  | { readonly _tag: "Path"; readonly path: string }
  | {
      readonly _tag: "Sentinel"
      readonly sentinels: ReadonlyArray<Address>
      readonly name: string
      readonly username: string | undefined
      readonly password: Redacted.Redacted<string> | undefined
      readonly tls: ConnectionOptions | undefined
      readonly natMap: NatMap | undefined
    }
  | {
      readonly _tag: "Cluster"
      readonly nodes: ReadonlyArray<Address>
      readonly natMap: NatMap | undefined
    }

/** The validated options with all defaults; times in ms. */
export interface Settings {
  readonly place: Place
  readonly username: string | undefined
  readonly password: Redacted.Redacted<string> | undefined
  readonly db: number
  readonly tls: ConnectionOptions | undefined
  readonly connectionName: string | undefined
  readonly commandTimeout: number
  readonly connectTimeout: number
  readonly reconnectBase: number
  readonly reconnectMax: number
  /** `Infinity` for never. */
  readonly heartbeat: number
  readonly pool: PoolOptions
}

const module = "RedisClient"

const invalid = (field: string, must: string, got: unknown): never => {
  throw InvalidOptions.of({ module, field, must, got })
}

/** Throws the error for a value that may hold a password, which the error does not show. */
const invalidSecret = (field: string, must: string): never =>
  invalid(field, must, Redacted.make(undefined))

const secret = (
  field: string,
  given: Secret | undefined,
): Redacted.Redacted<string> | undefined => {
  if (given === undefined || Redacted.isRedacted(given)) return given
  return typeof given === "string"
    ? Redacted.make(given)
    : invalidSecret(field, "be a string, or a Redacted of one")
}

const reveal = (given: Secret): string => {
  if (typeof given === "string") return given
  try {
    return Redacted.value(given)
  } catch {
    return invalidSecret("url", "be a string, or a Redacted of one that was not wiped")
  }
}

/** The longest delay of Node's timers; a longer one fires at once. */
const longest = 2_147_483_647

const millis = (field: string, given: Duration.Input, orNever = false): number => {
  const value = InvalidOptions.millisOf(given) ?? 0
  if (orNever && value === Infinity) return value
  if (value >= 1 && value <= longest) return Math.round(value)
  return invalid(
    field,
    `be a duration from 1 millisecond to 24 days${orNever ? ", or Infinity" : ""}, such as "1 second"`,
    given,
  )
}

const isPort = (given: number): boolean => Number.isInteger(given) && given >= 1 && given <= 65_535

const port = (field: string, given: number): number =>
  isPort(given) ? given : invalid(field, "be an integer from 1 to 65535", given)

const text = (field: string, given: string | undefined): string =>
  typeof given === "string" && given !== "" ? given : invalid(field, "be a non-empty string", given)

/** A URL given as a host may hold a password: it is refused, and not shown. */
const host = (field: string, given: string): string =>
  /[/@\s]/.test(text(field, given))
    ? invalidSecret(field, "be a host name or an IP address alone; a URL belongs in `url`")
    : given

const socketPath = (field: string, given: string): string =>
  text(field, given).includes("://")
    ? invalidSecret(field, "be the path of a socket alone; a URL belongs in `url`")
    : given

const addresses = (field: string, given: ReadonlyArray<Address>): ReadonlyArray<Address> =>
  Array.isArray(given) && given.length > 0
    ? given.map((each: Address, i) => ({
        host: host(`${field}[${i}].host`, each.host),
        port: port(`${field}[${i}].port`, each.port),
      }))
    : invalid(field, "be an array of at least one { host, port }", given)

const certificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** Node ignores a `ca` that it cannot parse, and then trusts no server. */
const isCertificates = (given: unknown): boolean => {
  if (typeof given !== "string" && !(given instanceof Uint8Array)) return false
  const found = Buffer.from(given).toString("latin1").match(certificate) ?? []
  try {
    return found.length > 0 && found.every((each) => new X509Certificate(each).raw.length > 0)
  } catch {
    return false
  }
}

const checkTls = (field: string, given: ConnectionOptions): ConnectionOptions => {
  const authorities: ReadonlyArray<unknown> =
    given.ca === undefined ? [] : Array.isArray(given.ca) ? given.ca : [given.ca]
  if (!authorities.every(isCertificates)) {
    invalidSecret(
      `${field}.ca`,
      "be certificates in PEM: the content of the file, which begins with -----BEGIN CERTIFICATE-----, not its path",
    )
  }
  try {
    createSecureContext(given)
  } catch (cause) {
    // OpenSSL's message shows nothing of the key or certificate.
    const refusal = cause instanceof Error ? cause.message : String(cause)
    const reason = `must be options that Node's tls.connect accepts, got its error: ${refusal}`
    throw new InvalidOptions({ module, field, reason })
  }
  return given
}

const tlsOptions = (
  field: string,
  given: boolean | ConnectionOptions | undefined,
): ConnectionOptions | undefined => {
  if (given === undefined || given === false) return undefined
  return given === true ? {} : checkTls(field, given)
}

interface FromUrl {
  readonly place: Place
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly db?: number | undefined
  readonly tls?: true | undefined
}

const parsedUrl = (given: string): URL => {
  // Keep the text out of the error: it may hold the password.
  const url = URL.canParse(given) ? new URL(given) : undefined
  return url !== undefined && ["redis:", "rediss:", "unix:"].includes(url.protocol)
    ? url
    : invalidSecret("url", "be redis://host:port, rediss://host:port or unix:///path")
}

const decoded = (part: string): string => {
  try {
    return decodeURIComponent(part)
  } catch {
    return invalidSecret(
      "url",
      "have its special characters escaped, such as %25 for a % in the password",
    )
  }
}

const databaseOf = (pathname: string): number | undefined => {
  if (pathname === "" || pathname === "/") return undefined
  const db = Number(pathname.slice(1))
  return Number.isInteger(db) && db >= 0
    ? db
    : invalidSecret("url", "end in the number of a database, such as redis://host:port/0")
}

const fromUrl = (given: string): FromUrl => {
  const url = parsedUrl(given)
  const credentials = {
    username: url.username === "" ? undefined : decoded(url.username),
    password: url.password === "" ? undefined : decoded(url.password),
  }
  if (url.protocol === "unix:") {
    if (url.pathname === "") invalidSecret("url", "have a path, such as unix:///path")
    return { ...credentials, place: { _tag: "Path", path: decoded(url.pathname) } }
  }
  const address = {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? 6379 : Number(url.port),
  }
  if (address.host === "" || !isPort(address.port)) {
    invalidSecret("url", "have a host, and a port from 1 to 65535")
  }
  return {
    ...credentials,
    place: { _tag: "Host", address },
    db: databaseOf(url.pathname),
    tls: url.protocol === "rediss:" ? true : undefined,
  }
}

const ways = ["url", "host", "port", "path", "sentinels", "cluster"] as const

/** Config and JavaScript bypass the types. */
const checkOneWay = (options: Options): void => {
  const given = ways.filter((way) => options[way] !== undefined)
  const kinds = new Set(given.map((way) => (way === "port" ? "host" : way)))
  if (kinds.size === 1) return
  const field = given.join(", ") || "options"
  const reason = `must give the address of Redis in exactly one way (url, host and port, path, sentinels and name, or cluster), got ${given.length === 0 ? "none" : given.join(", ")}`
  throw new InvalidOptions({ module, field, reason })
}

const placeOf = (options: Options): FromUrl => {
  checkOneWay(options)
  if (options.url !== undefined) return fromUrl(reveal(options.url))
  if (options.path !== undefined) {
    return { place: { _tag: "Path", path: socketPath("path", options.path) } }
  }
  if (options.sentinels !== undefined) {
    return {
      place: {
        _tag: "Sentinel",
        sentinels: addresses("sentinels", options.sentinels),
        name: text("name", options.name),
        username: options.sentinelUsername,
        password: secret("sentinelPassword", options.sentinelPassword),
        tls: tlsOptions("sentinelTls", options.sentinelTls),
        natMap: options.natMap,
      },
    }
  }
  if (options.cluster !== undefined) {
    const { nodes, natMap } = options.cluster
    return { place: { _tag: "Cluster", nodes: addresses("cluster.nodes", nodes), natMap } }
  }
  const address = {
    host: host("host", options.host ?? "127.0.0.1"),
    port: port("port", options.port ?? 6379),
  }
  return { place: { _tag: "Host", address } }
}

const database = (given: number, place: Place): number => {
  if (!Number.isInteger(given) || given < 0) {
    return invalid("db", "be an integer of at least 0", given)
  }
  return place._tag === "Cluster" && given !== 0
    ? invalid("db", "be 0, the only database of a Cluster", given)
    : given
}

/** A URL that asks for TLS must not be overruled in silence: the password would be sent in plain text. */
const tlsOf = (given: Options["tls"], ofUrl: true | undefined): Options["tls"] =>
  given === false && ofUrl === true
    ? invalid("tls", "be true or left out with a rediss:// URL", given)
    : (given ?? ofUrl)

const names: Record<
  Options extends infer O ? (O extends unknown ? keyof O : never) : never,
  true
> = {
  url: true,
  host: true,
  port: true,
  path: true,
  sentinels: true,
  name: true,
  sentinelUsername: true,
  sentinelPassword: true,
  sentinelTls: true,
  natMap: true,
  cluster: true,
  username: true,
  password: true,
  db: true,
  tls: true,
  connectionName: true,
  commandTimeout: true,
  connectTimeout: true,
  reconnect: true,
  heartbeat: true,
  pool: true,
}

const checkNames = (
  got: unknown,
  known: Readonly<Record<string, true>>,
  within?: "reconnect" | "cluster",
): void => {
  const mistake = InvalidOptions.ofNames({ module, names: known, got, within })
  if (mistake !== undefined) throw mistake
}

const check = (options: Options): Settings => {
  checkNames(options, names)
  if (options.reconnect !== undefined) {
    checkNames(options.reconnect, { base: true, max: true }, "reconnect")
  }
  if (options.cluster !== undefined) {
    checkNames(options.cluster, { nodes: true, natMap: true }, "cluster")
  }
  const from = placeOf(options)
  const base = options.reconnect?.base ?? limits.firstReconnectMillis
  const reconnectBase = millis("reconnect.base", base)
  const reconnectMax = millis(
    "reconnect.max",
    options.reconnect?.max ?? limits.longestReconnectMillis,
  )
  if (reconnectBase > reconnectMax) {
    invalid("reconnect.base", `be at most reconnect.max, which is ${reconnectMax} ms`, base)
  }
  return {
    place: from.place,
    username: options.username ?? from.username,
    password: secret("password", options.password ?? from.password),
    db: database(options.db ?? from.db ?? 0, from.place),
    tls: tlsOptions("tls", tlsOf(options.tls, from.tls)),
    connectionName: options.connectionName,
    commandTimeout: millis("commandTimeout", options.commandTimeout ?? limits.commandMillis),
    connectTimeout: millis("connectTimeout", options.connectTimeout ?? limits.connectMillis),
    reconnectBase,
    reconnectMax,
    heartbeat: millis("heartbeat", options.heartbeat ?? limits.heartbeatMillis, true),
    pool: options.pool ?? {},
  }
}

const misshapen = (options: unknown): InvalidOptions =>
  InvalidOptions.of({
    module,
    field: "options",
    must: "be RedisClient.Options",
    got: options,
  })

/** The validated options. JavaScript and Config bypass the types, so they may be anything. */
export const settings = (options: Options): Result.Result<Settings, InvalidOptions> =>
  Result.try({
    try: () => check(options),
    catch: (cause) => (cause instanceof InvalidOptions ? cause : misshapen(options)),
  })

/** The address, for messages. */
export const describe = ({ place }: Settings): string => {
  const list = (all: ReadonlyArray<Address>) =>
    all.map(({ host, port }) => `${host}:${port}`).join(", ")
  switch (place._tag) {
    case "Host":
      return list([place.address])
    case "Path":
      return place.path
    case "Sentinel":
      return `${place.name} of the Sentinels ${list(place.sentinels)}`
    case "Cluster":
      return `the Cluster of ${list(place.nodes)}`
  }
}
