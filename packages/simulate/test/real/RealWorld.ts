/**
 * Plays a plan on real nodes, one step after the other: the next step begins when all that follows from the
 * last one has arrived. A lookup that takes time ends in a step that waits, after the earlier ones. So the
 * order of all that happens does not depend on how fast the machine is; the moments are part of the result.
 */
import * as path from "node:path"
import { RedisClient } from "@larder/redis"
import type { RedisServer } from "@larder/testing/RedisServer"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import type { History, Lookup } from "../../src/history/History.ts"
import { Recorder } from "../../src/history/Recorder.ts"
import {
  type Config,
  type Plan,
  plainRelease,
  type Release,
  type Step,
} from "../../src/plan/Plan.ts"
import { type Running, startChange, startRead } from "../../src/run/calls.ts"
import { larderName } from "../../src/run/larder.ts"
import { type Pause, Source } from "../../src/run/source.ts"
import { probeText, RealNode } from "./RealNode.ts"
import { SkewedClock } from "./SkewedClock.ts"

/**
 * The order of what the test does: it begins a step, or ends a lookup, when all has arrived that follows from
 * the move before.
 */
export interface Moves {
  /** The move of each step. */
  readonly steps: ReadonlyArray<number>
  /** The move that ended a lookup, by the name of the lookup. */
  readonly lookups: ReadonlyMap<string, number>
  /** After the last one. */
  readonly end: number
}

export interface Played {
  readonly history: History
  readonly moves: Moves
}

export interface Place {
  /** Empty, and used by nobody else. */
  readonly server: RedisServer
  /** For the files of the nodes. */
  readonly folder: string
}

/** ms. In a wait of so long, and in a longer one, lookups end. */
const longWait = 50
/** ms. Two moves have different times. */
const apart = 2
/** ms. A node that hears nothing for so long has failed the test. */
const longest = 20_000

/**
 * The server forgets leases in them. When a node that waits for a lease asks for it again is a matter of
 * milliseconds, so none waits.
 */
const ofServer: ReadonlySet<Step["_tag"]> = new Set(["flush", "replicate", "failover"])

class RealWorld {
  readonly #config: Config
  readonly #place: Place
  readonly #clock: Clock.Clock
  readonly #began: number
  readonly #outside: RedisClient.Client
  readonly #recorder = new Recorder(() => this.#now)
  readonly #source: Source
  readonly #clocks: ReadonlyArray<SkewedClock>
  /** By machine, the node that runs there now. */
  readonly #nodes: Array<RealNode> = []
  #running: Array<Running<RealNode>> = []
  #moves = 0
  /** Lookups that have not ended, in the order of their begin. */
  #held: ReadonlyArray<Held> = []
  readonly #ends = new Map<string, number>()
  #probes = 0
  #hasReplica = false

  constructor(config: Config, place: Place, clock: Clock.Clock, outside: RedisClient.Client) {
    this.#config = config
    this.#place = place
    this.#clock = clock
    this.#began = Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    this.#outside = outside
    this.#source = new Source(this.#recorder, config, this.#hold)
    this.#clocks = Array.from(
      { length: config.nodes },
      (_, index) => new SkewedClock(clock, config.skews[index] ?? 0),
    )
  }

  readonly #hold: Pause = (lookup) =>
    Effect.suspend(() => {
      const end = Deferred.makeUnsafe<void>()
      this.#held = [...this.#held, { lookup, end }]
      return Deferred.await(end)
    })

  /** The next move, when all has arrived that follows from the last one. */
  get #move(): Effect.Effect<number, unknown> {
    return Effect.map(Effect.andThen(this.#arrived, Effect.sleep(apart)), () => (this.#moves += 1))
  }

  get #now(): number {
    return Number(this.#clock.monotonicTimeNanosUnsafe()) / 1e6 - this.#began
  }

  play(steps: ReadonlyArray<Step>): Effect.Effect<Played, unknown> {
    return Effect.gen({ self: this }, function* () {
      yield* Effect.forEach(this.#clocks, (_, index) => this.#start(index), { discard: true })
      const places: Array<number> = []
      for (const step of steps) {
        if (ofServer.has(step._tag)) yield* this.#rested
        places.push(yield* this.#move)
        this.#recorder.step(step)
        yield* this.#take(step)
        this.#running = this.#running.filter(({ call }) => call.end === undefined)
      }
      yield* this.#rested
      const end = yield* this.#move
      const healed = this.#recorder.moment()
      const quiet = this.#recorder.moment()
      yield* Effect.forEach(this.#nodes, (node) => node.close, { concurrency: "unbounded" })
      const history = this.#recorder.history(this.#config, { healed, quiet, leftovers: [] })
      const moves = { steps: places, lookups: this.#ends, end }
      return { history, moves }
    }).pipe(Effect.onExit(() => this.#end))
  }

  get #end(): Effect.Effect<void> {
    const open = this.#nodes.filter(({ life }) => life.closing === undefined)
    return Effect.forEach(open, (node) => node.close, { discard: true })
  }

  #start(index: number, release = this.#releaseOf(index)): Effect.Effect<void> {
    const node = new RealNode({
      index,
      release,
      config: this.#config,
      recorder: this.#recorder,
      source: this.#source,
      clock: this.#clocks[index]!,
      url: this.#place.server.url,
      filename: path.join(this.#place.folder, `${index}.db`),
    })
    this.#nodes[index] = node
    return node.open
  }

  /** What the node runs until it begins again as another one. */
  #releaseOf(index: number): Release {
    return this.#nodes[index]?.life.release ?? this.#config.releases?.[index] ?? plainRelease
  }

  #take(step: Step): Effect.Effect<void, unknown> {
    switch (step._tag) {
      case "get":
      case "getWithMeta":
      case "getMany":
      case "read":
      case "refresh":
        return Effect.sync(() => {
          this.#running.push(startRead(this.#recorder, this.#node(step), step, false))
        })
      case "set":
      case "expire":
      case "remove":
      case "invalidateTags":
      case "clear":
        return Effect.sync(() => {
          const tags = "key" in step ? this.#source.tagsOf(step.key) : []
          this.#running.push(startChange(this.#recorder, this.#node(step), step, tags))
        })
      case "interrupt":
        return Effect.sync(() => this.#interrupt(step.index))
      case "publish":
        return Effect.sync(() => this.#source.publish(step.key, step.tags))
      case "wait":
        return step.millis < longWait ? Effect.void : this.#release
      case "upstream":
        return Effect.sync(() => {
          this.#source.behaviour = step.behaviour
          this.#source.millis = step.millis
        })
      case "clock":
        return Effect.sync(() => {
          this.#clocks[step.node % this.#config.nodes]!.skew = step.skew
        })
      case "restart":
        return Effect.suspend(() => {
          const node = this.#node(step)
          return Effect.andThen(node.close, this.#start(node.index, step.release))
        })
      case "flush":
        return this.#place.server.cli("FLUSHALL")
      case "replicate":
        this.#hasReplica = true
        return this.#place.server.cli("SAVE")
      case "failover":
        return this.#failover
      default:
        return Effect.die(new Error(`no real server plays ${step._tag}`))
    }
  }

  #node({ node }: { readonly node: number }): RealNode {
    return this.#nodes[node % this.#config.nodes]!
  }

  #interrupt(index: number): void {
    const there = this.#running.filter(({ call }) => call.end === undefined)
    const one = there[index % Math.max(1, there.length)]
    if (one === undefined) return
    one.call.left = this.#recorder.moment()
    one.fiber.interruptUnsafe()
  }

  /** The server begins again with what it had saved: what came since is lost. */
  get #failover(): Effect.Effect<void, unknown> {
    const { server } = this.#place
    if (!this.#hasReplica) return Effect.void
    this.#hasReplica = false
    return Effect.gen({ self: this }, function* () {
      yield* server.kill()
      yield* server.restart({ keepData: true })
      yield* Effect.forEach(this.#nodes, (node) => node.connected, { concurrency: "unbounded" })
    })
  }

  /** Ends the lookups that run now, one after the other. */
  get #release(): Effect.Effect<void, unknown> {
    return Effect.suspend(() => {
      const held = this.#held.filter(({ lookup }) => lookup.end === undefined)
      this.#held = []
      return Effect.forEach(held, (one) => this.#endLookup(one), { discard: true })
    })
  }

  #endLookup({ end, lookup }: Held): Effect.Effect<void, unknown> {
    return Effect.flatMap(this.#move, (move) => {
      this.#recorder.step({ _tag: "wait", millis: 0 })
      if (lookup.end === undefined) this.#ends.set(nameOf(lookup), move)
      return Deferred.succeed(end, undefined)
    })
  }

  /** Waits until no call and no lookup runs. */
  get #rested(): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      do {
        yield* this.#release
        yield* this.#arrived
        this.#held = this.#held.filter(({ lookup }) => lookup.end === undefined)
      } while (this.#held.length > 0)
    })
  }

  /** Waits until nothing happens any more without time: all requests are answered, all messages are there. */
  get #arrived(): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      for (let still = 0; still < 2;) {
        const before = this.#events
        yield* this.#probed
        const isStill = this.#requests === 0 && this.#events === before
        still = isStill ? still + 1 : 0
      }
    })
  }

  get #requests(): number {
    return this.#nodes.reduce((sum, { road }) => sum + road.running, 0)
  }

  /** Rises with all that happens. */
  get #events(): number {
    return this.#nodes.reduce((sum, { road }) => sum + road.events, this.#recorder.order)
  }

  /** A message that is sent now has come to all nodes, and so have all from before it. */
  get #probed(): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      const number = ++this.#probes
      const sentAt = this.#now
      const channel = `larder:c:{${larderName}}`
      for (;;) {
        yield* Effect.eventually(
          this.#outside.use((client) => client.publish(channel, probeText(number))),
        )
        for (let turn = 0; turn < 50; turn += 1) {
          const missing = this.#nodes.filter(({ probed }) => probed < number)
          if (missing.length === 0) {
            for (const { life } of this.#nodes) this.#recorder.beat(life, 0)
            return
          }
          yield* turn < 20 ? Effect.promise(nextTurn) : Effect.sleep(1)
        }
        if (this.#now - sentAt > longest) throw new Error("a node hears nothing")
      }
    })
  }
}

/** Names a lookup in a real run and in its replay: the order of lookups of several keys may differ. */
export const nameOf = ({ key, ofKey }: Lookup): string => `${key}/${ofKey}`

interface Held {
  readonly lookup: Lookup
  readonly end: Deferred.Deferred<void>
}

const nextTurn = () => new Promise<void>((resolve) => void setImmediate(resolve))

export const playForReal = (
  { config, steps }: Plan,
  place: Place,
): Effect.Effect<Played, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const client = RedisClient.layer({ url: place.server.url, commandTimeout: "5 seconds" })
    const context = yield* Layer.build(Layer.provide(client, Logger.layer([])))
    const outside = Context.get(context, RedisClient.RedisClient)
    const world = new RealWorld(config, place, yield* Clock.Clock, outside)
    return yield* world.play(steps)
  })
