/** ioredis, configured to fail fast, never send a command twice, and reconnect by itself. */
import { Cluster, Redis, type RedisOptions } from "ioredis"
import * as Redacted from "effect/Redacted"
import { letGo, letGoOfCommands, letGoOfPauses } from "./letGo.ts"
import { masterAt } from "./masters.ts"
import type { Place, Settings } from "./options.ts"
import { quiet } from "./quiet.ts"
import { guardReplies } from "./strayReplies.ts"
import { goodbyeMillis, keepAliveMillis, redirections, slotPauseMillis } from "../limits.ts"

export type Client = Redis | Cluster

/** The shape of replies is fixed: the same for both versions of the protocol. */
type Options = Omit<RedisOptions, "replyMapping">

/** The pause in ms before the n-th attempt to reconnect, n from 1. */
export type Backoff = (attempt: number) => number

/**
 * Half of the pause is random, so that the clients of a restarted server do not reconnect all at
 * once.
 */
export const backoff =
  (settings: Settings, random: () => number): Backoff =>
  (attempt) => {
    const full = Math.min(settings.reconnectMax, settings.reconnectBase * 2 ** (attempt - 1))
    return Math.ceil(full * (0.5 + random() / 2))
  }

const noop = (): void => undefined

/** Ignores the failure of a promise, which is handled elsewhere: as an event, or by the next command. */
export const ignore = (promise: Promise<unknown>): void => {
  promise.catch(noop)
}

const revealed = (secret: Redacted.Redacted<string> | undefined): { password?: string } =>
  secret === undefined ? {} : { password: Redacted.value(secret) }

const shared = (settings: Settings): Options => ({
  // Attach the listeners before `connect`.
  lazyConnect: true,
  // Commands without a connection fail at once. Commands without a reply fail when the connection
  // ends and are not sent again: the server may have run them.
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  autoResubscribe: false,
  // `use` limits the time of a command; this one limits the silence of the connection.
  socketTimeout: 2 * settings.commandTimeout,
  connectTimeout: settings.connectTimeout,
  disconnectTimeout: goodbyeMillis,
  keepAlive: keepAliveMillis,
  db: settings.db,
  ...(settings.username === undefined ? {} : { username: settings.username }),
  ...revealed(settings.password),
  ...(settings.tls === undefined ? {} : { tls: settings.tls }),
  ...(settings.connectionName === undefined ? {} : { connectionName: settings.connectionName }),
})

/**
 * A master that has become a replica. The new master is at another address, or known to Sentinel.
 */
const demoted = (error: Error): boolean => error.message.includes("READONLY You can't write")

const sentinelOptions = (
  place: Extract<Place, { readonly _tag: "Sentinel" }>,
  settings: Settings,
  retry: Backoff | null,
): Options => ({
  sentinels: place.sentinels.map(({ host, port }) => ({ host, port })),
  name: place.name,
  role: "master",
  failoverDetector: true,
  sentinelCommandTimeout: settings.commandTimeout,
  // `Life` connects again. ioredis' own pause would keep the process alive while no Sentinel answers.
  sentinelRetryStrategy: () => null,
  sentinelReconnectStrategy: retry ?? (() => null),
  ...(place.username === undefined ? {} : { sentinelUsername: place.username }),
  ...(place.password === undefined ? {} : { sentinelPassword: Redacted.value(place.password) }),
  ...(place.tls === undefined ? {} : { sentinelTLS: place.tls }),
  ...(settings.tls === undefined ? {} : { enableTLSForSentinelMode: true }),
  ...(place.natMap === undefined ? {} : { natMap: place.natMap }),
})

const placed = (settings: Settings, retry: Backoff | null): Options => {
  const { place } = settings
  switch (place._tag) {
    case "Host":
      return place.address
    case "Path":
      return { path: place.path }
    case "Sentinel":
      return sentinelOptions(place, settings, retry)
    case "Cluster":
      return {}
  }
}

interface SentinelConnector {
  connectToSentinel: (address: unknown, options?: RedisOptions) => Redis
}

/** Without a listener ioredis prints to the console when a Sentinel connection fails. */
const guardSentinels = (client: Redis): void => {
  const { connector } = client as unknown as { readonly connector: SentinelConnector }
  const connect = connector.connectToSentinel.bind(connector)
  connector.connectToSentinel = (address, options) => {
    // Not connected before it is guarded.
    const sentinel = connect(address, {
      lazyConnect: true,
      disconnectTimeout: goodbyeMillis,
      ...options,
    })
    sentinel.on("error", noop)
    letGoOfCommands(sentinel)
    return guarded(sentinel)
  }
}

type Say = (text: string) => void

const redis = (
  settings: Settings,
  retry: Backoff | null,
  options: Options = {},
  say?: Say,
): Redis => {
  const client = new Redis({
    ...shared(settings),
    ...placed(settings, retry),
    retryStrategy: retry,
    reconnectOnError: demoted,
    ...options,
  })
  quiet(client, say)
  guarded(client)
  return client
}

/**
 * A connection whose errors reach its commands alone, neither the console nor the process, and which
 * does not keep the process alive.
 */
export const guarded = (client: Redis): Redis => {
  if (Array.isArray(client.options.sentinels)) guardSentinels(client)
  guardReplies(client)
  letGo(client)
  return client
}

type SendCommand = Cluster["sendCommand"]

/**
 * The queue of ioredis' Cluster has no bound, neither in length nor in time. Without the queue,
 * commands for a node that is still connecting fail. So the queue is on, and commands that would
 * wait for the whole Cluster are refused before it.
 */
const refuseWhileAway = (cluster: Cluster): void => {
  const send: SendCommand = cluster.sendCommand.bind(cluster)
  const guarded: SendCommand = (command, stream, node) => {
    if (cluster.status === "ready" || cluster.status === "end" || command.name === "cluster") {
      return send(command, stream, node)
    }
    command.reject(new Error("Cluster isn't ready"))
    return command.promise
  }
  cluster.sendCommand = guarded
}

/** ioredis ignores the promise of ASKING: its failure would be an unhandled rejection. */
const guardAsking = (node: Redis): void => {
  const asking = node.asking.bind(node)
  node.asking = () => {
    const answer = asking()
    ignore(answer)
    return answer
  }
}

const connectMasters = (cluster: Cluster): void => {
  for (const node of cluster.nodes("master")) connectAhead(node)
}

/** Connects now: otherwise the first command for the node connects, and waits. */
const connectAhead = (node: Redis): void => {
  if (node.status === "wait") ignore(node.connect())
}

type Answer<A> = (error?: Error | null, answer?: A) => void

/** The private methods by which ioredis learns the slots and the health of the Cluster. */
interface Learning {
  getInfoFromNode: (node: Redis, answer: Answer<undefined>) => void
  readyCheck: (answer: Answer<string>) => void
}

/** The first node that answers, on its existing connection or on a new one. */
const firstToAnswer = (nodes: ReadonlyArray<Redis>): Promise<Redis> => {
  const own: Array<Redis> = []
  const connectionTo = (node: Redis): Redis => {
    if (node.status === "ready") return node
    const connection = node.duplicate({
      lazyConnect: true,
      enableOfflineQueue: true,
      enableReadyCheck: false,
      retryStrategy: null,
    })
    connection.on("error", noop)
    guarded(connection)
    own.push(connection)
    return connection
  }
  const answers = nodes.map((node) =>
    connectionTo(node)
      .ping()
      .then(() => node),
  )
  return Promise.any(answers).finally(() => {
    for (const connection of own) connection.disconnect()
  })
}

const clusterState = (info: unknown): string | undefined =>
  /^cluster_state:(\w+)/m.exec(String(info))?.[1]

/** A user without the right to CLUSTER INFO learns the state from its commands. */
const mayNotAsk = (cause: unknown): boolean =>
  cause instanceof Error && cause.message.startsWith("NOPERM")

const isWell = (node: Redis): Promise<void> =>
  node.cluster("INFO").then(
    (info) => {
      if (clusterState(info) === "fail") throw new Error("the Cluster is down")
    },
    (cause: unknown) => {
      if (!mayNotAsk(cause)) throw cause
    },
  )

/**
 * ioredis asks one random node after the other, and waits for a frozen node until the timeout:
 * before it knows the slots, and again before it is ready. This asks all nodes in parallel and
 * takes the first answer.
 */
const askSideBySide = (cluster: Cluster): void => {
  const learning = cluster as unknown as Learning
  const getInfo = learning.getInfoFromNode.bind(cluster)
  learning.getInfoFromNode = (node, answer) => {
    const nodes = cluster.nodes()
    if (nodes.length < 2) return getInfo(node, answer)
    firstToAnswer(nodes).then(
      (first) => getInfo(first, answer),
      () => getInfo(node, answer),
    )
  }
  learning.readyCheck = (answer) => {
    Promise.any(cluster.nodes("master").map(isWell)).then(
      () => answer(),
      (causes: AggregateError) => answer(causes.errors[0] as Error),
    )
  }
}

/** Disables the subscriber connection that ioredis' Cluster opens even without subscriptions. */
const withoutSubscriber = (cluster: Cluster): void => {
  const { subscriber } = cluster as unknown as { readonly subscriber: { start: () => void } }
  subscriber.start = noop
}

const cluster = (
  place: Extract<Place, { readonly _tag: "Cluster" }>,
  settings: Settings,
  retry: Backoff | null,
  options: Options = {},
  say?: Say,
): Cluster => {
  const client = new Cluster(
    place.nodes.map(({ host, port }) => ({ host, port })),
    {
      lazyConnect: true,
      clusterRetryStrategy: retry,
      redisOptions: { ...shared(settings), ...options },
      maxRedirections: redirections,
      // The server may have run a command whose connection ended; the caller decides on a retry.
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: slotPauseMillis,
      retryDelayOnTryAgain: slotPauseMillis,
      slotsRefreshTimeout: settings.commandTimeout,
      ...(place.natMap === undefined ? {} : { natMap: place.natMap }),
    },
  )
  letGoOfPauses(client)
  refuseWhileAway(client)
  askSideBySide(client)
  withoutSubscriber(client)
  client.on("+node", (node: Redis) => {
    quiet(node, say)
    guardAsking(node)
    guarded(node)
    if (client.status === "ready" && node.options.readOnly !== true) connectAhead(node)
  })
  client.on("ready", () => {
    connectMasters(client)
  })
  return client
}

/** The client for all commands, not yet connected. `say` receives notices for the operator. */
export const main = (settings: Settings, retry: Backoff, say: Say): Client =>
  settings.place._tag === "Cluster"
    ? cluster(settings.place, settings, retry, {}, say)
    : redis(settings, retry, {}, say)

/**
 * Calls `connected` for each connection that becomes ready, and `lost` when a node of a Cluster
 * disconnects: ioredis reconnects to it only when a command asks for one of its keys, and gets no
 * notice of its return.
 */
export const watch = (client: Client, connected: () => void, lost: () => void): void => {
  client.on("ready", connected)
  if (!(client instanceof Cluster)) return
  client.on("+node", (node: Redis) => node.on("ready", connected))
  client.on("-node", lost)
}

/** Reloads the slots of a Cluster, and with them the nodes that the client had lost. */
export const learnNodes = (client: Client): void => {
  if (client instanceof Cluster && client.status === "ready") client.refreshSlotsCache()
}

/** The connections of a client to its masters, one each. */
export const masters = (client: Client): ReadonlyArray<Redis> =>
  client instanceof Cluster ? client.nodes("master") : [client]

/**
 * One connection that ends when it is lost, not yet connected. Any node of a Cluster passes on
 * published messages, so it connects to one of the nodes that `client` knows; `undefined` while
 * `client` knows none.
 */
export const single = (
  settings: Settings,
  client: Client,
  random: () => number,
): Redis | undefined => {
  if (!(client instanceof Cluster)) return redis(settings, null)
  const nodes = client.nodes("master").filter((node) => node.status === "ready")
  const node = nodes[Math.floor(random() * nodes.length)]
  return node === undefined ? undefined : redis(settings, null, placeOf(node))
}

const placeOf = ({ options: { host = "", port = 0 } }: Redis): Options => ({ host, port })

/**
 * As {@link single}, but to the master at this address, `host:port`; `undefined` when the Cluster has
 * no such master.
 */
export const toMaster = (
  settings: Settings,
  client: Client,
  address: string,
): Redis | undefined => {
  const node = masterAt(client, address)
  return node === undefined ? undefined : redis(settings, null, placeOf(node))
}

/** A connection for one user at a time, for blocking commands; not yet connected. */
export const dedicated = (settings: Settings): Client =>
  settings.place._tag === "Cluster"
    ? cluster(settings.place, settings, null, { socketTimeout: undefined })
    : redis(settings, null)

/** Only the handshake of a connection is limited; afterwards a command may block without limit. */
export const liftTimeLimit = (client: Client): void => {
  if (client instanceof Redis) client.options.socketTimeout = undefined
}
