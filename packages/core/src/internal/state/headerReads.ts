/**
 * Reads the arbiter's versions of keys, to confirm entries in memory: all keys of one turn of the event
 * loop in one request to each server, few requests at once, and no more than so many keys a second.
 * Keys beyond that wait in the order in which they were asked for.
 */
import * as Effect from "effect/Effect"
import type { Stored } from "../../Arbitration.ts"
import type { Timers } from "../runtime/deadlines.ts"
import type { Soon } from "../runtime/nextTurn.ts"
import { TokenBucket } from "../runtime/tokenBucket.ts"
import {
  headerReadsAtOnce,
  headerReadsPerSecond,
  headerRequestsAtOnce,
  keysPerHeaderRequest,
} from "../runtime/limits.ts"

/** The arbiter's answer for one key, and as of when. */
export interface HeaderRead {
  readonly stored: Stored
  /** The number of gaps before the request. */
  readonly gapsBefore: number
  /** When the request was sent, in monotonic time. */
  readonly sentAt: number
  /** When the marks that are known by now were requested, in monotonic time. */
  readonly marksReadAt: number
}

type Answer = HeaderRead | undefined

interface Waiting {
  readonly key: string
  /** After this moment of monotonic time, the callers no longer wait for their turn. */
  readonly until: number
  readonly callers: Set<(answer: Answer) => void>
}

/** The keys of one server. */
interface Server {
  readonly waiting: Map<string, Waiting>
  requests: number
}

export interface Options {
  readonly partOf: (key: string) => string
  /** One request to one server; `undefined` where it does not answer. */
  readonly ask: (
    part: string,
    keys: ReadonlyArray<string>,
  ) => Effect.Effect<ReadonlyArray<Stored> | undefined>
  readonly gaps: { readonly count: number }
  readonly marksReadAt: () => number
  readonly soon: Soon
  readonly timers: Timers
  readonly fork: (effect: Effect.Effect<void>) => unknown
  /** Monotonic time, ms, later than every earlier moment. */
  readonly moment: () => number
  /** Monotonic time, ms. */
  readonly stopwatch: () => number
}

export class HeaderReads {
  readonly #options: Options
  readonly #bucket = new TokenBucket(headerReadsPerSecond, headerReadsAtOnce)
  readonly #servers = new Map<string, Server>()
  #isScheduled = false

  constructor(options: Options) {
    this.#options = options
  }

  /**
   * The arbiter's version of a key, by a request that is sent from now on. `undefined` where the arbiter
   * does not answer, or the key's turn does not come within `longestWait` ms.
   */
  read(key: string, longestWait: number): Effect.Effect<Answer> {
    return Effect.callback<Answer>((resume) => {
      const { partOf, stopwatch } = this.#options
      const part = partOf(key)
      const server = this.#servers.get(part) ?? { waiting: new Map(), requests: 0 }
      this.#servers.set(part, server)
      const until = stopwatch() + longestWait
      const waiting = server.waiting.get(key) ?? { key, until, callers: new Set() }
      server.waiting.set(key, waiting)
      const caller = (answer: Answer) => resume(Effect.succeed(answer))
      waiting.callers.add(caller)
      this.#schedule()
      return Effect.sync(() => {
        waiting.callers.delete(caller)
        if (waiting.callers.size === 0 && server.waiting.get(key) === waiting) {
          server.waiting.delete(key)
        }
      })
    })
  }

  /** Sends after the current turn of the event loop, so that keys of one turn share a request. */
  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#options.soon(this.#send)
  }

  readonly #send = (): void => {
    this.#isScheduled = false
    const now = this.#options.stopwatch()
    for (const [part, server] of this.#servers) {
      expire(server, now)
      while (server.waiting.size > 0 && server.requests < headerRequestsAtOnce) {
        const count = Math.min(server.waiting.size, keysPerHeaderRequest)
        if (!this.#bucket.take(count, now)) return this.#sendIn(this.#bucket.readyIn(count, now))
        this.#request(part, server, first(server.waiting, count))
      }
      if (server.waiting.size === 0 && server.requests === 0) this.#servers.delete(part)
    }
  }

  #sendIn(millis: number): void {
    this.#isScheduled = true
    const { stopwatch, timers } = this.#options
    timers.after(stopwatch(), Math.ceil(millis), this.#send)
  }

  #request(part: string, server: Server, all: ReadonlyArray<Waiting>): void {
    const { ask, fork, gaps, marksReadAt, moment } = this.#options
    server.requests += 1
    const sent = Effect.suspend(() => {
      const gapsBefore = gaps.count
      const sentAt = moment()
      const keys = all.map(({ key }) => key)
      return Effect.map(ask(part, keys), (stored) => {
        const asOf = { gapsBefore, sentAt, marksReadAt: marksReadAt() }
        for (const [i, { callers }] of all.entries()) {
          const one = stored?.[i]
          for (const caller of callers) caller(one && { stored: one, ...asOf })
        }
      })
    })
    const ended = Effect.sync(() => {
      server.requests -= 1
      this.#schedule()
    })
    fork(Effect.ensuring(sent, ended))
  }
}

/** Answers callers who have waited for their turn for too long. The oldest ones come first. */
const expire = ({ waiting }: Server, now: number): void => {
  for (const { callers, key, until } of waiting.values()) {
    if (until > now) return
    waiting.delete(key)
    for (const caller of callers) caller(undefined)
  }
}

const first = (waiting: Map<string, Waiting>, count: number): ReadonlyArray<Waiting> => {
  const all: Array<Waiting> = []
  for (const one of waiting.values()) {
    if (all.length === count) break
    all.push(one)
    waiting.delete(one.key)
  }
  return all
}
