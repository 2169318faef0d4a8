/** The messages of all servers, for all larders of one node. */
import type { Cluster } from "ioredis"
import type { Tier, TierLog } from "@larder/core"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import type { Client } from "../../RedisClient.ts"
import { tooLate, type RedisClientError } from "../client/errors.ts"
import type { Listener } from "../client/line.ts"
import { addressOf, ownersOf } from "../client/masters.ts"
import { slotOf } from "../keySlot.ts"
import { beatChannel, type LarderKeys, slotsOfBlocks, tagOf } from "../keys.ts"
import { beatsPerLook, subscribeMillis } from "../limits.ts"
import type { Asking } from "../scripts/asking.ts"
import { parse } from "./messages.ts"
import { type GapMessage, type Place, Server } from "./server.ts"

type Receive = (message: Tier.Message) => void

/** One larder. */
interface Member {
  readonly keys: LarderKeys
  readonly receive: Receive
  readonly listeners: Map<Server, Listener>
  /** Servers that have yet to reply to its first subscription. */
  readonly pending: Set<Server>
  /** Servers on which it is subscribed. */
  readonly hears: Set<Server>
  /** Servers that have refused its channels. */
  readonly refusedBy: Set<Server>
  /** Ends when no server is pending. */
  readonly settled: Deferred.Deferred<void, RedisClientError>
  /** Messages are passed on. */
  isOpen: boolean
}

interface Options {
  readonly redis: Client
  readonly prefix: string
  /** ms between two beats. */
  readonly interval: number
  readonly log: TierLog.TierLog
}

export class Listening {
  readonly #options: Options
  /** The hash tags of this node's heartbeats begin with it. */
  readonly #node: string
  readonly #now: () => number
  readonly #run: (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>
  readonly #members = new Set<Member>()
  readonly #servers = new Map<string, Server>()
  readonly #fibers = new Map<Server | "beats", Fiber.Fiber<unknown>>()
  /** The address of the master of each slot, when it was last looked at. */
  #owners: ReadonlyArray<string> = []
  /** Since the last gap of all servers there was one of a single server. */
  #isPartial = false
  #beats = 0

  /** Connects with the first larder and disconnects with the last, or when the scope closes. */
  static readonly make = (options: Options): Effect.Effect<Listening, never, Scope.Scope> =>
    Effect.gen(function* () {
      const [clock, random, scope] = [yield* Clock.Clock, yield* Random.Random, yield* Effect.scope]
      const fork = Effect.runForkWith(yield* Effect.context<never>())
      const node = Math.floor(random.nextDoubleUnsafe() * 2 ** 52).toString(36)
      const now = () => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000
      return new Listening(options, node, now, (effect) => Fiber.runIn(fork(effect), scope))
    })

  private constructor(
    options: Options,
    node: string,
    now: () => number,
    run: (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>,
  ) {
    this.#options = options
    this.#node = node
    this.#now = now
    this.#run = run
  }

  /** Subscribed when it returns. A server that cannot be reached is a gap. */
  listen(
    asking: Asking,
    keys: LarderKeys,
    receive: Receive,
  ): Effect.Effect<void, Tier.TierError, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const member = yield* Effect.acquireRelease(
        Effect.sync(() => this.#join(keys, receive)),
        (left) => Effect.sync(() => this.#leave(left)),
      )
      const settled = yield* Deferred.await(member.settled).pipe(
        Effect.timeoutOption(subscribeMillis),
        Effect.mapError((cause) => asking.fail("listen", cause)),
      )
      if (Option.isNone(settled) && member.hears.size === 0) {
        return yield* asking.fail("listen", tooLate())
      }
      this.#open(member)
    })
  }

  #join(keys: LarderKeys, receive: Receive): Member {
    const member: Member = {
      keys,
      receive,
      listeners: new Map(),
      pending: new Set(),
      hears: new Set(),
      refusedBy: new Set(),
      settled: Deferred.makeUnsafe(),
      isOpen: false,
    }
    if (this.#members.size === 0) this.#start()
    this.#members.add(member)
    for (const server of this.#servers.values()) this.#attach(member, server)
    return member
  }

  #leave(member: Member): void {
    member.isOpen = false
    this.#members.delete(member)
    if (this.#members.size === 0) return this.#stop()
    for (const [server, listener] of member.listeners) server.line.remove(listener)
  }

  #open(member: Member): void {
    member.isOpen = true
    for (const server of this.#servers.values()) {
      const { gap } = server
      if (gap !== undefined) member.receive(gap)
      else if (!member.hears.has(server)) server.doubt()
    }
  }

  #start(): void {
    const { client } = this.#options.redis
    if ("slots" in client) {
      client.on("refresh", this.#look)
      this.#look()
    } else this.#add({ address: undefined, blocks: [], beatChannel: this.#beatChannel("") })
    const { interval } = this.#options
    const beats = Effect.sleep(interval).pipe(Effect.andThen(Effect.sync(this.#tick)))
    this.#fibers.set("beats", this.#run(Effect.forever(beats)))
  }

  #stop(): void {
    this.#options.redis.client.off("refresh", this.#look)
    for (const server of this.#servers.values()) this.#remove(server)
    this.#fibers.get("beats")?.interruptUnsafe()
    this.#fibers.clear()
    this.#owners = []
    this.#isPartial = false
  }

  readonly #tick = (): void => {
    for (const server of this.#servers.values()) server.tick()
    for (const member of this.#members) {
      for (const { line } of member.refusedBy) this.#retry(member, line)
    }
    this.#beats += 1
    // A beat does not show that another node of a Cluster has become the master: replicas take it too.
    const isCluster = this.#owners.length > 0
    if (isCluster && this.#beats % beatsPerLook === 0) this.#moved()
  }

  #retry(member: Member, line: Server["line"]): void {
    for (const [server, listener] of member.listeners) {
      if (server.line !== line) continue
      line.remove(listener)
      line.add(listener)
    }
  }

  readonly #moved = (): void => {
    this.#run(this.#options.redis.learnMasters)
  }

  /** Compares the servers with the table of slots. */
  readonly #look = (): void => {
    const client = this.#options.redis.client as Cluster
    const addresses = client.nodes("master").map(addressOf)
    const owners = ownersOf(client)
    const known = addresses.filter((address) => owners.includes(address))
    // An unknown Cluster is not an empty one.
    if (known.length === 0) return
    const before = this.#owners
    this.#owners = owners
    const places = known.map((address) => this.#placeOf(address))
    const isFirst = before.length === 0
    const isChanged = !isFirst && owners.some((owner, slot) => owner !== before[slot])
    for (const server of [...this.#servers.values()]) {
      const place = places.find(({ address }) => address === server.place.address)
      if (place === undefined || !this.#isStill(server, place)) this.#remove(server)
    }
    let isWide = false
    for (const place of places) {
      if (this.#servers.has(place.address)) continue
      const server = this.#add(place)
      isWide ||= !isFirst
      if (!isFirst) server.beginWide()
    }
    // A gap is that of a server, and its keys are judged by the server that they have now.
    if (isChanged && !isWide && this.#isPartial) {
      this.#report({ _tag: "Gap", reason: "disconnected", part: undefined, isOver: true })
    }
    this.#ready()
  }

  #placeOf(address: string): Place & { readonly address: string } {
    const blocks = [...slotsOfBlocks.keys()].filter(
      (block) => this.#owners[slotsOfBlocks[block]!] === address,
    )
    return { address, blocks, beatChannel: this.#beatChannel(address) }
  }

  /** A channel whose slot is on this master. */
  #beatChannel(address: string): string {
    const { prefix } = this.#options
    if (address === "") return beatChannel(prefix, this.#node)
    let count = 0
    while (this.#owners[slotOf(`${this.#node}.${count}`)] !== address) count += 1
    return beatChannel(prefix, `${this.#node}.${count}`)
  }

  #isStill({ place: { beatChannel: beats, blocks } }: Server, place: Place): boolean {
    return (
      blocks.join() === place.blocks.join() && this.#owners[slotOf(tagOf(beats))] === place.address
    )
  }

  #add(place: Place): Server {
    const { interval, redis } = this.#options
    const server: Server = new Server({
      redis,
      place,
      interval,
      now: this.#now,
      report: this.#report,
      moved: this.#moved,
      ready: this.#ready,
      down: () => this.#down(server),
    })
    this.#servers.set(place.address ?? "", server)
    for (const member of this.#members) this.#attach(member, server)
    this.#fibers.set(server, this.#run(server.line.run))
    return server
  }

  #remove(server: Server): void {
    this.#servers.delete(server.place.address ?? "")
    this.#fibers.get(server)?.interruptUnsafe()
    this.#fibers.delete(server)
    server.close()
    for (const member of this.#members) {
      for (const servers of [member.listeners, member.pending, member.hears, member.refusedBy]) {
        servers.delete(server)
      }
    }
  }

  readonly #ready = (): void => {
    for (const member of this.#members) this.#settle(member)
  }

  #down(server: Server): void {
    for (const member of this.#members) {
      member.pending.delete(server)
      this.#settle(member)
    }
  }

  readonly #report = (gap: GapMessage): void => {
    this.#isPartial = gap.part !== undefined || this.#hasPartial
    for (const member of this.#members) if (member.isOpen) member.receive(gap)
  }

  get #hasPartial(): boolean {
    return [...this.#servers.values()].some(({ gap }) => gap?.part !== undefined)
  }

  #attach(member: Member, server: Server): void {
    const { address, blocks } = server.place
    const { channel, shards } = member.keys
    const gapOf = (isOver: boolean): GapMessage => ({
      _tag: "Gap",
      reason: "disconnected",
      part: address,
      isOver,
    })
    const listener: Listener = {
      channels: [
        { name: channel, isSharded: false },
        ...blocks.map((block) => ({ name: shards[block]!, isSharded: true })),
      ],
      subscribed: () => {
        member.hears.add(server)
        member.pending.delete(server)
        if (member.refusedBy.delete(server)) member.receive(gapOf(true))
        this.#settle(member)
      },
      lost: () => void member.hears.delete(server),
      refused: (error) => {
        member.pending.delete(server)
        if (!member.isOpen) Deferred.doneUnsafe(member.settled, Effect.fail(error))
        else if (!member.refusedBy.has(server)) {
          member.refusedBy.add(server)
          this.#isPartial = true
          member.receive(gapOf(false))
        }
      },
      heard: (bytes) => this.#heard(member, server, bytes),
    }
    member.listeners.set(server, listener)
    if (server.gap === undefined) member.pending.add(server)
    server.line.add(listener)
  }

  #settle(member: Member): void {
    const isHeard = [...member.hears].some(({ hearing }) => hearing.isSubscribed)
    if (member.pending.size > 0 || !isHeard) return
    Deferred.doneUnsafe(member.settled, Effect.void)
  }

  #heard(member: Member, { place: { address } }: Server, bytes: Buffer): void {
    if (!member.isOpen) return
    const message = parse(bytes)
    if (message === undefined) {
      // Its text is not shown: a damaged message may have a key.
      this.#options.log.write({
        level: "Debug",
        message: "ignored a message that is not of a tier",
        annotations: { channel: member.keys.channel, bytes: bytes.length },
      })
    } else if (message === "newer") {
      for (const isOver of [false, true]) {
        member.receive({ _tag: "Gap", reason: "newerFormat", part: address, isOver })
      }
      this.#isPartial ||= address !== undefined
    } else member.receive(message)
  }
}
