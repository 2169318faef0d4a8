/** Runs in real time, as sockets do; each test waits for an event, not for a time. */
import * as net from "node:net"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe, expect } from "vitest"
import { now } from "../../src/clock.ts"
import * as Proxy from "../../src/run/proxy.ts"

/** An echo server. */
const echo = Effect.acquireRelease(
  Effect.callback<net.Server>((resume) => {
    const server = net.createServer((socket) => socket.pipe(socket))
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) => Effect.sync(() => server.close()),
)

const portOf = (server: net.Server): number => (server.address() as net.AddressInfo).port

const connect = (port: number) =>
  Effect.acquireRelease(
    Effect.callback<net.Socket>((resume) => {
      const socket = net.connect({ host: "127.0.0.1", port }, () => resume(Effect.succeed(socket)))
      socket.on("error", () => undefined)
    }),
    (socket) => Effect.sync(() => socket.destroy()),
  )

const received = (socket: net.Socket, text: string): Effect.Effect<void> =>
  Effect.callback((resume) => {
    let all = ""
    socket.on("data", (chunk: Buffer) => {
      all += chunk.toString()
      if (all === text) resume(Effect.void)
    })
  })

const setUp = Effect.gen(function* () {
  const proxy = yield* Proxy.start(portOf(yield* echo))
  return { proxy, socket: yield* connect(proxy.port) }
})

describe("the way to a server", () => {
  it.live("delays each direction, in order", () =>
    Effect.gen(function* () {
      const { proxy, socket } = yield* setUp
      proxy.delay(30)
      const begin = now()
      for (const piece of ["a", "b", "c"]) socket.write(piece)
      yield* received(socket, "abc")
      expect(now() - begin).toBeGreaterThan(55)
    }).pipe(Effect.scoped),
  )

  it.live("holds everything back while it is paused, and loses nothing", () =>
    Effect.gen(function* () {
      const { proxy, socket } = yield* setUp
      proxy.pause(true)
      socket.write("late")
      const arriving = yield* Effect.forkChild(received(socket, "late"))
      yield* Effect.sleep(50)
      expect(arriving.pollUnsafe()).toBe(undefined)
      proxy.pause(false)
      yield* Fiber.join(arriving)
    }).pipe(Effect.scoped),
  )

  it.live("hangs up when it is cut, and takes connections again afterwards", () =>
    Effect.gen(function* () {
      const { proxy, socket } = yield* setUp
      const closed = Effect.callback<void>((resume) => {
        socket.once("close", () => resume(Effect.void))
        proxy.cut(true)
      })
      yield* closed
      proxy.cut(false)
      const again = yield* connect(proxy.port)
      again.write("x")
      yield* received(again, "x")
    }).pipe(Effect.scoped),
  )

  const subscribe = "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n"
  const get = "*2\r\n$3\r\nget\r\n$1\r\nk\r\n"

  it.live("holds back subscriptions while commands go on", () =>
    Effect.gen(function* () {
      const { proxy, socket: subscriber } = yield* setUp
      const client = yield* connect(proxy.port)
      proxy.pause(true, "subscriptions")
      subscriber.write(subscribe)
      const arriving = yield* Effect.forkChild(received(subscriber, subscribe))
      client.write(get)
      yield* received(client, get)
      expect(arriving.pollUnsafe()).toBe(undefined)
      proxy.pause(false, "subscriptions")
      yield* Fiber.join(arriving)
    }).pipe(Effect.scoped),
  )

  it.live("hangs up on commands, also of new connections, while subscriptions go on", () =>
    Effect.gen(function* () {
      const { proxy, socket: client } = yield* setUp
      const closed = (socket: net.Socket) =>
        Effect.callback<void>((resume) => {
          socket.once("close", () => resume(Effect.void))
        })
      client.write(get)
      yield* received(client, get)
      const ending = yield* Effect.forkChild(closed(client), { startImmediately: true })
      proxy.cut(true, "commands")
      yield* Fiber.join(ending)
      const [subscriber, another] = [yield* connect(proxy.port), yield* connect(proxy.port)]
      const refused = yield* Effect.forkChild(closed(another), { startImmediately: true })
      another.write(get)
      yield* Fiber.join(refused)
      subscriber.write(subscribe)
      yield* received(subscriber, subscribe)
    }).pipe(Effect.scoped),
  )
})
