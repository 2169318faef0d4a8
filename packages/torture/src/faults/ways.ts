/** Faults in the links between a node and the servers. */
import * as Effect from "effect/Effect"
import * as keys from "../keys.ts"
import type { Proxy, Reach } from "../run/proxy.ts"
import { replies } from "../run/workers.ts"
import type { Reply } from "../worker/Config.ts"
import type { Fault, Target, World } from "./Fault.ts"

const always = () => true

const each = (of: ReadonlyArray<Target>, f: (proxy: Proxy) => void): Effect.Effect<void> =>
  Effect.sync(() => {
    for (const { links } of of) links.proxies.forEach(f)
  })

const namesOf = (of: ReadonlyArray<Target>): ReadonlyArray<string> =>
  of.map(({ worker }) => worker.name)

/** Begins, lasts, and ends even when interrupted. */
const during = <A, E>(
  of: ReadonlyArray<Target>,
  begin: (proxy: Proxy) => void,
  end: (proxy: Proxy) => void,
  effect: Effect.Effect<A, E>,
): Effect.Effect<A, E> =>
  Effect.andThen(each(of, begin), effect).pipe(Effect.ensuring(each(of, end)))

/** One node, or sometimes all. */
const someOf = ({ nodes, random }: World, node: Target): ReadonlyArray<Target> =>
  random.chance(0.85) ? [node] : nodes

const slow = (of: ReadonlyArray<Target>, millis: number, lasting: Effect.Effect<void>) =>
  during(
    of,
    (proxy) => proxy.delay(millis),
    (proxy) => proxy.delay(0),
    lasting,
  )

const cutFor = (of: ReadonlyArray<Target>, lasting: Effect.Effect<void>) =>
  during(
    of,
    (proxy) => proxy.cut(true),
    (proxy) => proxy.cut(false),
    lasting,
  )

const delay: Fault = {
  kind: "delay",
  at: "node",
  suits: always,
  run: (world, node) =>
    Effect.gen(function* () {
      const of = someOf(world, node)
      const [each, millis] = [world.random.between(10, 45), world.random.between(1_000, 4_000)]
      yield* slow(of, each, Effect.sleep(millis))
      return {
        detail: `${namesOf(of).join(", ")}: ${each} ms each way, for ${millis} ms`,
        nodes: namesOf(of),
      }
    }),
}

const pause: Fault = {
  kind: "pause",
  at: "node",
  suits: always,
  run: (world, node) =>
    Effect.gen(function* () {
      const of = someOf(world, node)
      const millis = world.random.between(100, 2_000)
      yield* during(
        of,
        (proxy) => proxy.pause(true),
        (proxy) => proxy.pause(false),
        Effect.sleep(millis),
      )
      return { detail: `${namesOf(of).join(", ")} for ${millis} ms`, nodes: namesOf(of) }
    }),
}

/** Breakers stay open for 5 s. The time until the next probe is part of the fault. */
const probeMillis = 5_500

/** A node that was cut off finds a slow Redis, so that replaying the missed changes takes time. */
const cut: Fault = {
  kind: "cut",
  at: "node",
  suits: always,
  run: (world, node) =>
    Effect.gen(function* () {
      const of = someOf(world, node)
      const millis = world.random.between(400, 3_000)
      yield* cutFor(of, Effect.sleep(millis))
      const each = world.random.chance(0.6) ? world.random.between(15, 40) : 0
      if (each > 0) yield* slow(of, each, Effect.sleep(probeMillis))
      return {
        detail: `${namesOf(of).join(", ")} for ${millis} ms, then ${each} ms each way`,
        nodes: namesOf(of),
      }
    }),
}

/**
 * The delay in each direction, ms: longer than a tier step may take, but too short for the client to
 * drop the connection.
 */
const tooSlowMillis = 350
/** Long enough for five steps in a row to time out. */
const openingMillis = 2_700

/**
 * As many missed marks as are kept one by one, and a few more while the first is replayed. The
 * connection stays: a new one would be tried at once, and not at the breaker's next probe.
 */
const flood: Fault = {
  kind: "flood",
  at: "node",
  suits: always,
  run: (_, node) =>
    Effect.gen(function* () {
      const { worker } = node
      // With a closed breaker at the start, the next probe comes 5 s after it opens.
      yield* worker.ask({ _tag: "AwaitBreakers", millis: 6_000 }, replies("Closed"), 6_500)
      yield* slow([node], tooSlowMillis, Effect.sleep(openingMillis))
      const flooding = worker.ask({ _tag: "Flood" }, replies("Flooded"), 3_500)
      yield* slow([node], 40, Effect.andThen(flooding, Effect.sleep(probeMillis)))
      return { detail: `${worker.name} misses ${keys.floodTags} marks` }
    }),
}

let bursts = 0

/** Sends a burst, and adds its keys to the world. */
const sendBurst = (world: World, { worker }: Target, count: number, times: number) =>
  Effect.suspend(() => {
    const from = bursts
    bursts += count
    world.burstKeys.push(...keys.burst(worker.name, from, count))
    const isDone = (reply: Reply) => reply._tag === "BurstDone" && reply.from === from
    return worker.ask({ _tag: "Burst", from, keys: count, times }, isDone, 12_000)
  })

/** Fills the write queue again and again. */
const burst: Fault = {
  kind: "burst",
  at: "node",
  suits: always,
  run: (world, node) =>
    Effect.gen(function* () {
      const both = Effect.all([sendBurst(world, node, 1_000, 1), sendBurst(world, node, 100, 5)], {
        concurrency: "unbounded",
        discard: true,
      })
      yield* slow([node], 20, Effect.repeat(both, { times: 3 }).pipe(Effect.asVoid))
      return { detail: `${node.worker.name}, 4 times` }
    }),
}

/** Fills the write queue, then freezes Redis for a while. */
const queue: Fault = {
  kind: "queue",
  at: "node",
  // A frozen master makes a Sentinel fail over.
  suits: (stack) => !stack.includes("sentinel"),
  run: (world, node) =>
    Effect.gen(function* () {
      const { backend, nodes, random } = world
      const millis = random.between(1_500, 2_500)
      const freezing = Effect.gen(function* () {
        yield* Effect.sleep(150)
        yield* Effect.forEach(backend.servers, (server) => server.freeze)
        yield* Effect.sleep(millis)
      }).pipe(Effect.ensuring(Effect.forEach(backend.servers, (server) => server.thaw)))
      const both = Effect.all([sendBurst(world, node, 800, 1), freezing], {
        concurrency: "unbounded",
        discard: true,
      })
      yield* slow([node], 20, both)
      return {
        detail: `${node.worker.name} queues 800 sets, Redis is frozen for ${millis} ms`,
        nodes: namesOf(nodes),
      }
    }),
}

/** One kind of connections of the node is silent, or refused, and the other kind is well. */
const partly = (kind: string, reach: Reach, most: number): Fault => ({
  kind,
  at: "node",
  suits: always,
  run: (world, node) =>
    Effect.gen(function* () {
      const of = someOf(world, node)
      const millis = world.random.between(300, most)
      const isCut = world.random.chance(0.5)
      yield* during(
        of,
        (proxy) => (isCut ? proxy.cut(true, reach) : proxy.pause(true, reach)),
        (proxy) => (isCut ? proxy.cut(false, reach) : proxy.pause(false, reach)),
        Effect.sleep(millis),
      )
      return {
        detail: `${namesOf(of).join(", ")}: ${reach} ${isCut ? "cut" : "silent"} for ${millis} ms`,
        nodes: namesOf(of),
      }
    }),
})

/** No messages while commands go on, sometimes for longer than a node takes to notice. */
const deaf = partly("deaf", "subscriptions", 6_500)
/** Messages while no command gets through. */
const mute = partly("mute", "commands", 3_000)

export const ofWays: ReadonlyArray<Fault> = [delay, pause, cut, deaf, mute, flood, burst, queue]
