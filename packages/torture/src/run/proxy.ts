/**
 * The link from one node to one server; it can be slow, silent or cut. Data stays in order: each
 * direction of each connection has one queue.
 */
import * as net from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { after, now } from "../clock.ts"

interface Weather {
  /** The delay of each direction, ms. */
  delay: number
  /** Holds data back and loses none. */
  paused: boolean
  /** Refuses connections. */
  cut: boolean
}

export interface Proxy {
  readonly port: number
  readonly delay: (millis: number) => void
  readonly pause: (paused: boolean) => void
  readonly cut: (cut: boolean) => void
}

type Piece = { readonly chunk: Buffer | "end"; readonly due: number }

/** One direction. */
class Queue {
  readonly #to: net.Socket
  readonly #weather: Weather
  #waiting: Array<Piece> = []
  #timer: (() => void) | undefined

  constructor(to: net.Socket, weather: Weather) {
    this.#to = to
    this.#weather = weather
  }

  push(chunk: Buffer | "end"): void {
    this.#waiting.push({ chunk, due: now() + this.#weather.delay })
    this.pump()
  }

  pump(): void {
    this.#timer?.()
    this.#timer = undefined
    if (this.#weather.paused) return
    while (this.#waiting[0] !== undefined && this.#waiting[0].due <= now()) {
      const { chunk } = this.#waiting.shift()!
      if (chunk === "end") this.#to.end()
      else if (this.#to.writable) this.#to.write(chunk)
    }
    const [next] = this.#waiting
    if (next !== undefined) this.#timer = after(Math.max(1, next.due - now()), () => this.pump())
  }

  drop(): void {
    this.#timer?.()
    this.#waiting = []
  }
}

interface Connection {
  readonly queues: ReadonlyArray<Queue>
  readonly destroy: () => void
}

const connect = (near: net.Socket, to: number, weather: Weather): Connection => {
  const far = net.connect({ host: "127.0.0.1", port: to, allowHalfOpen: true })
  near.setNoDelay(true)
  far.setNoDelay(true)
  const queues = [new Queue(far, weather), new Queue(near, weather)] as const
  const destroy = () => {
    for (const queue of queues) queue.drop()
    near.destroy()
    far.destroy()
  }
  for (const [from, queue] of [
    [near, queues[0]],
    [far, queues[1]],
  ] as const) {
    from.on("data", (chunk: Buffer) => queue.push(chunk))
    from.on("end", () => queue.push("end"))
    from.on("error", destroy)
  }
  return { queues, destroy }
}

const listen = (to: number, weather: Weather, connections: Set<Connection>) =>
  Effect.callback<net.Server>((resume) => {
    const server = net.createServer({ allowHalfOpen: true }, (near) => {
      if (weather.cut) return void near.destroy()
      const connection = connect(near, to, weather)
      connections.add(connection)
      near.on("close", () => {
        connections.delete(connection)
      })
    })
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  })

/** Forwards to the server on a port of this machine. */
export const start = (to: number): Effect.Effect<Proxy, never, Scope.Scope> => {
  const weather: Weather = { delay: 0, paused: false, cut: false }
  const connections = new Set<Connection>()
  const hangUp = () => {
    for (const { destroy } of connections) destroy()
    connections.clear()
  }
  const open = Effect.acquireRelease(listen(to, weather, connections), (server) =>
    Effect.sync(() => {
      hangUp()
      server.close()
    }),
  )
  return Effect.map(open, (server) => ({
    port: (server.address() as net.AddressInfo).port,
    delay: (millis) => void (weather.delay = millis),
    pause: (paused) => {
      weather.paused = paused
      for (const { queues } of connections) for (const queue of queues) queue.pump()
    },
    cut: (cut) => {
      weather.cut = cut
      if (cut) hangUp()
    },
  }))
}
