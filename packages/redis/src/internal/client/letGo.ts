/**
 * Lets the process end while a connection waits: for replies to the client's own pings, for messages,
 * for its next attempt to connect. Waiting callers keep the process alive themselves: see `ProcessLife`.
 */
import type { Cluster, Redis } from "ioredis"

interface Handle {
  readonly unref: () => unknown
}

interface Socket extends Handle {
  readonly destroyed: boolean
  readonly once: (event: "connect", listener: () => void) => unknown
}

interface Connector {
  stream?: Socket | undefined
  connect: (...args: ReadonlyArray<unknown>) => Promise<Socket>
  disconnect: () => void
}

/** The private parts of ioredis that hold its sockets and its timers. */
interface Inner {
  readonly connector: Connector
  readonly reconnectTimeout: Handle | null
  readonly socketTimeoutTimer: Handle | undefined
  setSocketTimeout: () => void
}

/** The time limits of commands; only connections to Sentinels have them. */
export const letGoOfCommands = (client: Redis): void => {
  const send = client.sendCommand.bind(client)
  client.sendCommand = (command, stream) => {
    const reply = send(command, stream)
    const { _commandTimeoutTimer: timer } = command as unknown as {
      readonly _commandTimeoutTimer?: Handle | undefined
    }
    timer?.unref()
    return reply
  }
}

const letGoOfSocket = (socket: Socket): Socket => {
  // Not before: Node tries each address of a host with a handle of its own.
  socket.once("connect", () => socket.unref())
  return socket
}

/** The pause before the next attempt, of a client or of a Cluster. */
export const letGoOfPauses = (client: Redis | Cluster): void => {
  const inner = client as unknown as Inner
  client.on("reconnecting", () => inner.reconnectTimeout?.unref())
}

/** For a connection that is not connected yet. */
export const letGo = (client: Redis): void => {
  const inner = client as unknown as Inner
  const { connector } = inner
  const connect = connector.connect.bind(connector)
  connector.connect = (...args) => connect(...args).then(letGoOfSocket)
  const disconnect = connector.disconnect.bind(connector)
  connector.disconnect = () => {
    // ioredis would wait with a timer for the end of a socket that has ended already.
    if (connector.stream?.destroyed === true) connector.stream = undefined
    disconnect()
  }
  const setSocketTimeout = inner.setSocketTimeout.bind(client)
  inner.setSocketTimeout = () => {
    setSocketTimeout()
    inner.socketTimeoutTimer?.unref()
  }
  letGoOfPauses(client)
}
