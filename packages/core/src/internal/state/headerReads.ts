/**
 * Reads the arbiter's versions of keys, to confirm entries in memory: all keys of one turn of the event
 * loop in one request to each server, and few requests at once. Of the keys that a gap has made suspect,
 * no more than so many a second; those beyond wait in the order in which they were asked for. Keys that
 * a caller demands to be checked go before them: each call stands for a read of the arbiter.
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

/** `checked`: a caller demands it. `suspect`: a gap made it necessary. */
export type Reason = "checked" | "suspect"

type Queue = Map<string, Waiting>

/** The keys of one server that wait. */
interface Server extends Readonly<Record<Reason, Queue>> {
  requests: number
}

const isIdle = ({ checked, requests, suspect }: Server): boolean =>
  checked.size === 0 && suspect.size === 0 && requests === 0

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
  #isTimed = false

  constructor(options: Options) {
    this.#options = options
  }

  /**
   * The arbiter's version of a key, by a request that is sent from now on. `undefined` where the arbiter
   * does not answer, or the key's turn does not come within `longestWait` ms.
   */
  read(key: string, longestWait: number, reason: Reason): Effect.Effect<Answer> {
    return Effect.callback<Answer>((resume) => {
      const { partOf, stopwatch } = this.#options
      const part = partOf(key)
      const server = this.#servers.get(part) ?? {
        checked: new Map(),
        suspect: new Map(),
        requests: 0,
      }
      this.#servers.set(part, server)
      const queue = server[reason]
      const until = stopwatch() + longestWait
      const waiting = queue.get(key) ?? { key, until, callers: new Set() }
      queue.set(key, waiting)
      const caller = (answer: Answer) => resume(Effect.succeed(answer))
      waiting.callers.add(caller)
      this.#schedule()
      return Effect.sync(() => {
        waiting.callers.delete(caller)
        if (waiting.callers.size === 0 && queue.get(key) === waiting) queue.delete(key)
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
    let readyIn = 0
    for (const [part, server] of this.#servers) {
      expire(server.checked, now)
      expire(server.suspect, now)
      this.#sendSome(part, server, "checked", () => true)
      this.#sendSome(part, server, "suspect", (count) => {
        // Otherwise few keys of one server would always go before the many of another.
        if (readyIn > 0) return false
        if (this.#bucket.take(count, now)) return true
        readyIn = this.#bucket.readyIn(count, now)
        return false
      })
      if (isIdle(server)) this.#servers.delete(part)
    }
    if (readyIn > 0) this.#sendIn(readyIn)
  }

  #sendSome(
    part: string,
    server: Server,
    reason: Reason,
    isAllowed: (count: number) => boolean,
  ): void {
    const queue = server[reason]
    while (queue.size > 0 && server.requests < headerRequestsAtOnce) {
      const count = Math.min(queue.size, keysPerHeaderRequest)
      if (!isAllowed(count)) return
      this.#request(part, server, first(queue, count))
    }
  }

  /** Not instead of the next turn: keys that are demanded do not wait for those that are not. */
  #sendIn(millis: number): void {
    if (this.#isTimed) return
    this.#isTimed = true
    const { stopwatch, timers } = this.#options
    timers.after(stopwatch(), Math.ceil(millis), () => {
      this.#isTimed = false
      this.#send()
    })
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
const expire = (queue: Queue, now: number): void => {
  for (const { callers, key, until } of queue.values()) {
    if (until > now) return
    queue.delete(key)
    for (const caller of callers) caller(undefined)
  }
}

const first = (queue: Queue, count: number): ReadonlyArray<Waiting> => {
  const all: Array<Waiting> = []
  for (const one of queue.values()) {
    if (all.length === count) break
    all.push(one)
    queue.delete(one.key)
  }
  return all
}
