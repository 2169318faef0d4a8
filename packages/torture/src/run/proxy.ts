/**
 * The link from one node to one server; it can be slow, silent or cut, all of it or only one kind of
 * connections. Data stays in order: each direction of each connection has one queue.
 */
import * as net from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { after, now } from "../clock.ts"
import { type Kind, kindOf } from "./connectionKind.ts"

/** The connections that a fault reaches. */
export type Reach = Kind | "all"

interface Weather {
  /** The delay of each direction, ms. */
  delay: number
  /** Holds data back and loses none. */
  readonly paused: Set<Reach>
  /** Refuses connections. */
  readonly cut: Set<Reach>
}

export interface Proxy {
  readonly port: number
  readonly delay: (millis: number) => void
  readonly pause: (paused: boolean, reach?: Reach) => void
  readonly cut: (cut: boolean, reach?: Reach) => void
}

type Piece = { readonly chunk: Buffer | "end"; readonly due: number }

/** One direction. */
class Queue {
  readonly #to: net.Socket
  readonly #delay: () => number
  readonly #isPaused: () => boolean
  #waiting: Array<Piece> = []
  #timer: (() => void) | undefined

  constructor(to: net.Socket, delay: () => number, isPaused: () => boolean) {
    this.#to = to
    this.#delay = delay
    this.#isPaused = isPaused
  }

  push(chunk: Buffer | "end"): void {
    this.#waiting.push({ chunk, due: now() + this.#delay() })
    this.pump()
  }

  pump(): void {
    this.#timer?.()
    this.#timer = undefined
    if (this.#isPaused()) return
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

class Connection {
  readonly #near: net.Socket
  readonly #far: net.Socket
  readonly #weather: Weather
  readonly #queues: readonly [Queue, Queue]
  /** Undefined until its commands show it. */
  #kind: Kind | undefined

  constructor(near: net.Socket, to: number, weather: Weather) {
    this.#near = near
    this.#far = net.connect({ host: "127.0.0.1", port: to, allowHalfOpen: true })
    this.#weather = weather
    near.setNoDelay(true)
    this.#far.setNoDelay(true)
    const queueTo = (socket: net.Socket) =>
      new Queue(
        socket,
        () => weather.delay,
        () => this.#isIn(weather.paused),
      )
    this.#queues = [queueTo(this.#far), queueTo(near)]
    near.on("data", (chunk: Buffer) => {
      this.#kind ??= kindOf(chunk)
      if (this.#isIn(weather.cut)) this.destroy()
      else this.#queues[0].push(chunk)
    })
    this.#far.on("data", (chunk: Buffer) => this.#queues[1].push(chunk))
    near.on("end", () => this.#queues[0].push("end"))
    this.#far.on("end", () => this.#queues[1].push("end"))
    for (const socket of [near, this.#far]) socket.on("error", () => this.destroy())
  }

  #isIn(reached: ReadonlySet<Reach>): boolean {
    return reached.has("all") || (this.#kind !== undefined && reached.has(this.#kind))
  }

  pump(): void {
    for (const queue of this.#queues) queue.pump()
  }

  cutIfReached(): void {
    if (this.#isIn(this.#weather.cut)) this.destroy()
  }

  destroy(): void {
    for (const queue of this.#queues) queue.drop()
    this.#near.destroy()
    this.#far.destroy()
  }
}

const listen = (to: number, weather: Weather, connections: Set<Connection>) =>
  Effect.callback<net.Server>((resume) => {
    const server = net.createServer({ allowHalfOpen: true }, (near) => {
      if (weather.cut.has("all")) return void near.destroy()
      const connection = new Connection(near, to, weather)
      connections.add(connection)
      near.on("close", () => {
        connections.delete(connection)
      })
    })
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  })

const change = (reached: Set<Reach>, reach: Reach, isReached: boolean): void => {
  if (isReached) reached.add(reach)
  else reached.delete(reach)
}

/** Forwards to the server on a port of this machine. */
export const start = (to: number): Effect.Effect<Proxy, never, Scope.Scope> => {
  const weather: Weather = { delay: 0, paused: new Set(), cut: new Set() }
  const connections = new Set<Connection>()
  const open = Effect.acquireRelease(listen(to, weather, connections), (server) =>
    Effect.sync(() => {
      for (const connection of connections) connection.destroy()
      server.close()
    }),
  )
  return Effect.map(open, (server) => ({
    port: (server.address() as net.AddressInfo).port,
    delay: (millis) => void (weather.delay = millis),
    pause: (paused, reach = "all") => {
      change(weather.paused, reach, paused)
      for (const connection of connections) connection.pump()
    },
    cut: (cut, reach = "all") => {
      change(weather.cut, reach, cut)
      for (const connection of [...connections]) connection.cutIfReached()
    },
  }))
}
