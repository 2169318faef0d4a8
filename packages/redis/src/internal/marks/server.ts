/** The messages of one server: one connection for all larders of the node, with a heartbeat. */
import type { Tier } from "@larder/core"
import type { Client } from "../../RedisClient.ts"
import type { Line, Listener } from "../client/line.ts"
import { masterAt } from "../client/masters.ts"
import { isRedirection } from "../client/nodes.ts"
import * as Heartbeat from "./heartbeat.ts"

export interface Place {
  /** The address of a master; undefined outside a Cluster. */
  readonly address: string | undefined
  /** The blocks of slots whose sharded channels are on this master. */
  readonly blocks: ReadonlyArray<number>
  /** The channel of this node's heartbeats: in a Cluster, its slot is on this master. */
  readonly beatChannel: string
}

export interface Options {
  readonly redis: Client
  readonly place: Place
  /** ms between two beats. */
  readonly interval: number
  /** Monotonic time, ms. */
  readonly now: () => number
  /** A gap begins or is over. */
  readonly report: (gap: GapMessage) => void
  /** All larders are subscribed. */
  readonly ready: () => void
  /** The connection has ended, or could not be made. */
  readonly down: () => void
  /** Slots have moved away from the server. */
  readonly moved: () => void
}

export type GapMessage = Extract<Tier.Message, { readonly _tag: "Gap" }>

const isUnknownCommand = (cause: unknown): boolean =>
  cause instanceof Error && /unknown command|NOPERM/i.test(cause.message)

export class Server {
  readonly place: Place
  readonly line: Line
  readonly #options: Options
  #isClosed = false
  #hearing = Heartbeat.unheard
  /** The beats go on the plain channel, since the server has no sharded ones. */
  #isPlain: boolean
  /** The gap concerns all servers, since the table of slots has changed. */
  #isWide = false

  constructor(options: Options) {
    this.#options = options
    this.place = options.place
    const { address, beatChannel } = options.place
    this.#isPlain = address === undefined
    this.line = options.redis.openLine(address, {
      ready: this.#ready,
      down: this.#down,
      moved: options.moved,
    })
    const beats: Listener = {
      channels: [
        { name: beatChannel, isSharded: false },
        ...(address === undefined ? [] : [{ name: beatChannel, isSharded: true }]),
      ],
      subscribed: () => undefined,
      lost: () => undefined,
      refused: () => undefined,
      heard: this.#beaten,
    }
    this.line.add(beats)
  }

  get hearing(): Heartbeat.Hearing {
    return this.#hearing
  }

  /** The gap that goes on, as a message; undefined for none. */
  get gap(): GapMessage | undefined {
    const { gap } = this.#hearing
    return gap === undefined ? undefined : this.#messageOf({ reason: gap, isOver: false })
  }

  /** The server has taken over slots: messages of all servers may be missing until it is subscribed. */
  beginWide(): void {
    this.#isWide = true
    this.#apply(Heartbeat.lost(this.#hearing))
  }

  /** Nothing that its connection still does matters. */
  close(): void {
    this.#isClosed = true
  }

  /** Some channels of a larder are not subscribed in time. */
  doubt(): void {
    if (this.#hearing.isSubscribed) this.line.drop()
    else this.#apply(Heartbeat.lost(this.#hearing))
  }

  /** Sends a beat, and looks for a silence. */
  tick(): void {
    const { interval, now } = this.#options
    const at = now()
    this.#apply(Heartbeat.checked(this.#hearing, at, interval))
    // Whatever the cause, a new connection may hear again.
    if (Heartbeat.isDeaf(this.#hearing, at, interval)) this.line.drop()
    else this.#beat()
  }

  readonly #ready = (): void => {
    if (this.#isClosed) return
    this.#apply(Heartbeat.subscribed(this.#hearing, this.#options.now()))
    this.#options.ready()
    this.#beat()
  }

  readonly #down = (): void => {
    if (this.#isClosed) return
    this.#apply(Heartbeat.lost(this.#hearing))
    this.#options.down()
  }

  readonly #beaten = (message: Buffer): void => {
    const sentAt = Heartbeat.sentAtOf(message.toString("latin1"))
    if (sentAt === undefined || this.#isClosed) return
    const { interval, now } = this.#options
    this.#apply(Heartbeat.beat(this.#hearing, sentAt, now(), interval))
  }

  #apply({ hearing, reports }: Heartbeat.Step): void {
    this.#hearing = hearing
    for (const report of reports) this.#options.report(this.#messageOf(report))
    if (hearing.gap === undefined) this.#isWide = false
  }

  #messageOf({ isOver, reason }: Heartbeat.Report): GapMessage {
    const part = this.#isWide ? undefined : this.place.address
    return { _tag: "Gap", reason, part, isOver }
  }

  /** On the connection of the node's changes, so that the beat takes their way. */
  #beat(): void {
    const { now, redis } = this.#options
    const connection = masterAt(redis.client, this.place.address)
    if (connection === undefined) return this.#options.moved()
    const { beatChannel } = this.place
    const text = Heartbeat.toText(now())
    const sent = this.#isPlain
      ? connection.publish(beatChannel, text)
      : connection.spublish(beatChannel, text)
    sent.catch((cause: unknown) => {
      if (isUnknownCommand(cause)) this.#isPlain = true
      else if (cause instanceof Error && isRedirection(cause)) this.#options.moved()
    })
  }
}
