/**
 * The write-behind queue: values on their way to the tiers behind memory. For each key, the value
 * that is being written, and at most one after it. A write that fails rests, then is retried.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Entry } from "../../Entry.ts"
import type { EntryWithPolicy } from "./localEntries.ts"
import {
  firstWriteRestMillis,
  longestWriteRestMillis,
  queuedKeys,
  writesAtOnce,
} from "../runtime/limits.ts"

/** A queued value. */
export interface Queued extends EntryWithPolicy {
  readonly key: unknown
  /** The version is the value's place in the arbiter's order; false if the arbiter's time was not known well. */
  readonly isPlaced: boolean
  /** When the value was set, in monotonic time. */
  readonly madeAt: number
  /** The number of gaps before the value was set. */
  readonly gapsBefore: number
}

/** A message about a queued key. */
export interface Heard {
  readonly version: number
  readonly isRemoval: boolean
}

/** Writes queued values to the tiers. */
export interface Writer {
  /** `again`: the queue retries later. */
  readonly write: (k: string, queued: Queued) => Effect.Effect<"done" | "again">
  /** The value is too old to be written: `write` gives it up. */
  readonly isOver: (queued: Queued) => boolean
}

interface Pending {
  newest: Queued
  readonly writer: Writer
  state: "ready" | "writing" | "resting"
  /** A newer value waits for the running write to end. */
  hasNext: boolean
  /** The running write is not retried. */
  isWithdrawn: boolean
  /** The place, in the order of queueing, of the oldest unwritten value of the key. */
  oldest: number
  /** The place of the value that waits for the running write to end. */
  next: number
  /** The message of the highest version since the newest value was queued. */
  heard: Heard | undefined
}

interface Waiter {
  readonly k: string
  readonly enter: () => void
  readonly refuse: () => void
}

export class WriteQueue {
  readonly #fork: (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>
  readonly #pause: (millis: number) => Effect.Effect<void>
  readonly #pending = new Map<string, Pending>()
  readonly #ready = new Set<string>()
  readonly #resting = new Set<string>()
  readonly #waiting = new Set<Waiter>()
  /** Called whenever a write has ended. */
  readonly #watchers = new Set<() => void>()
  #rest: Fiber.Fiber<unknown> | undefined
  #rests = 0
  #writing = 0
  #count = 0
  #isStarting = false
  #end: "open" | "closing" | "stopped" = "open"

  /**
   * `fork` runs a fiber that a closing larder waits for. `pause` sleeps so many ms before a failed write
   * is retried.
   */
  constructor(
    fork: (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>,
    pause: (millis: number) => Effect.Effect<void>,
  ) {
    this.#fork = fork
    this.#pause = pause
  }

  get size(): number {
    return this.#pending.size
  }

  /** How many values have been queued so far. */
  get count(): number {
    return this.#count
  }

  /** The keys with a value that waits. */
  keys(): Iterable<string> {
    return this.#pending.keys()
  }

  /** The last value that was set, until it has reached the tiers. */
  newest(k: string): Queued | undefined {
    const pending = this.#pending.get(k)
    return pending?.isWithdrawn === true ? undefined : pending?.newest
  }

  /**
   * Waits until there is room for the key, then calls `enter`, which may `put` it, in the same step,
   * so that no other waiter takes the room. Fails with `closed` once the larder closes.
   */
  admit<A>(k: string, enter: () => A, closed: Effect.Effect<never>): Effect.Effect<A> {
    return Effect.callback<A>((resume) => {
      if (this.#end !== "open") return resume(closed)
      const entered = () => resume(exitOf(enter))
      if (this.#hasRoom(k)) return entered()
      const waiter: Waiter = { k, enter: entered, refuse: () => resume(closed) }
      this.#waiting.add(waiter)
      return Effect.sync(() => this.#waiting.delete(waiter))
    })
  }

  put(k: string, queued: Queued, writer: Writer): void {
    this.#count += 1
    const pending = this.#pending.get(k)
    if (pending === undefined) {
      this.#pending.set(k, {
        newest: queued,
        writer,
        state: "ready",
        hasNext: false,
        isWithdrawn: false,
        oldest: this.#count,
        next: 0,
        heard: undefined,
      })
      this.#ready.add(k)
      return this.#start()
    }
    pending.newest = queued
    pending.isWithdrawn = false
    pending.heard = undefined
    if (pending.state !== "writing" || pending.hasNext) return
    pending.hasNext = true
    pending.next = this.#count
  }

  /** Replaces a value by the same value with its place, unless a newer one is queued. */
  replace(k: string, queued: Queued, placed: Queued): void {
    const pending = this.#pending.get(k)
    if (pending?.newest === queued) pending.newest = placed
  }

  /** Takes a message about a key. The write goes on: the arbiter orders the value and the change. */
  hear(k: string, heard: Heard): void {
    const pending = this.#pending.get(k)
    if (pending === undefined || heard.version <= (pending.heard?.version ?? 0)) return
    pending.heard = heard
  }

  /**
   * Whether a tier's entry is older than the queued value. A value without a place in the arbiter's order
   * is newer than all that its node has not been told of since. The version of an entry that is not fresh
   * may be that of an `expire`: then the times at which the two were stored decide.
   */
  isBefore(k: string, found: Entry<unknown>, now: number): boolean {
    const pending = this.#pending.get(k)
    if (pending === undefined) return false
    const { entry, isPlaced } = pending.newest
    const { freshUntil, storedAt, version } = found
    return (
      version < entry.version ||
      (!isPlaced && version > (pending.heard?.version ?? 0)) ||
      (now >= freshUntil && storedAt < entry.storedAt)
    )
  }

  /** The message of the highest version since the newest value of the key was queued. */
  heard(k: string): Heard | undefined {
    return this.#pending.get(k)?.heard
  }

  /** Withdraws the queued value of a key, which a later change replaces. */
  withdraw(k: string): void {
    const pending = this.#pending.get(k)
    if (pending === undefined) return
    if (pending.state !== "writing") return this.#remove(k)
    pending.hasNext = false
    pending.isWithdrawn = true
  }

  /** Waits until the key has no queued value, or its failed write rests. */
  settled(k: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      const isSettled = () => {
        const pending = this.#pending.get(k)
        return pending === undefined || pending.state === "resting" || this.#end === "stopped"
      }
      if (isSettled()) return Effect.void
      const done = Deferred.makeUnsafe<void>()
      const forget = this.watch(() => {
        if (isSettled()) Deferred.doneUnsafe(done, Exit.void)
      })
      return Effect.ensuring(Deferred.await(done), Effect.sync(forget))
    })
  }

  /** Of the values queued up to this place: all written, some on their way, or one resting after a failure. */
  stateUpTo(place: number): "written" | "pending" | "resting" {
    let state: "written" | "pending" = "written"
    for (const pending of this.#pending.values()) {
      if (pending.oldest > place) continue
      if (pending.state === "resting" || this.#end === "stopped") return "resting"
      state = "pending"
    }
    return state
  }

  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  /** Refuses waiters and new keys; retries the rest with short pauses. */
  close(): void {
    this.#end = "closing"
    for (const waiter of this.#waiting) waiter.refuse()
    this.#waiting.clear()
    this.#endRest()
    this.#wake(this.#resting)
  }

  /** Stops all retries. */
  stop(): void {
    this.#end = "stopped"
    this.#endRest()
    for (const watcher of this.#watchers) watcher()
  }

  #endRest(): void {
    const rest = this.#rest
    this.#rest = undefined
    rest?.interruptUnsafe()
  }

  #hasRoom(k: string): boolean {
    return this.#pending.has(k) || this.#pending.size < queuedKeys
  }

  #remove(k: string): void {
    this.#pending.delete(k)
    this.#ready.delete(k)
    this.#resting.delete(k)
    for (const waiter of this.#waiting) {
      if (!this.#hasRoom(waiter.k)) return
      this.#waiting.delete(waiter)
      waiter.enter()
    }
  }

  /** Not reentrant: a write may end at once, and its end calls this again. */
  #start(): void {
    if (this.#isStarting) return
    this.#isStarting = true
    for (const k of this.#ready) {
      if (this.#writing === writesAtOnce || this.#end === "stopped") break
      this.#ready.delete(k)
      this.#write(k, this.#pending.get(k)!)
    }
    this.#isStarting = false
  }

  #write(k: string, pending: Pending): void {
    this.#writing += 1
    pending.state = "writing"
    let isDone = false
    const fiber = this.#fork(
      Effect.map(pending.writer.write(k, pending.newest), (outcome) => {
        isDone = outcome === "done"
      }),
    )
    fiber.addObserver(() => this.#ended(k, pending, isDone))
  }

  #ended(k: string, pending: Pending, isDone: boolean): void {
    this.#writing -= 1
    if (isDone) this.#rests = 0
    if (!pending.hasNext && (isDone || pending.isWithdrawn)) this.#remove(k)
    else this.#goesOn(k, pending, isDone)
    // The tiers answer again: retry all resting keys now.
    if (isDone) this.#wake(this.#resting)
    this.#start()
    for (const watcher of this.#watchers) watcher()
  }

  #goesOn(k: string, pending: Pending, isDone: boolean): void {
    if (isDone) pending.oldest = pending.next
    pending.hasNext = false
    pending.state = isDone ? "ready" : "resting"
    if (isDone) this.#ready.add(k)
    else {
      this.#resting.add(k)
      this.#sleep()
    }
  }

  #wake(keys: Iterable<string>): void {
    for (const k of keys) {
      this.#resting.delete(k)
      this.#pending.get(k)!.state = "ready"
      this.#ready.add(k)
    }
    this.#start()
  }

  #sleep(): void {
    if (this.#rest !== undefined || this.#end === "stopped") return
    const longest = this.#end === "closing" ? firstWriteRestMillis : longestWriteRestMillis
    const millis = Math.min(firstWriteRestMillis * 2 ** this.#rests, longest)
    this.#rests += 1
    const rest = this.#fork(this.#pause(millis))
    this.#rest = rest
    rest.addObserver(() => {
      if (this.#rest !== rest) return
      this.#rest = undefined
      this.#wake(this.#tried())
      if (this.#resting.size > 0) this.#sleep()
    })
  }

  /** Keys to retry: a few, to see whether the tiers are back, and those to give up. */
  #tried(): ReadonlyArray<string> {
    return [...this.#resting].filter((k, i) => {
      const { newest, writer } = this.#pending.get(k)!
      return i < writesAtOnce || writer.isOver(newest)
    })
  }
}

const exitOf = <A>(f: () => A): Exit.Exit<A> => {
  try {
    return Exit.succeed(f())
  } catch (defect) {
    return Exit.die(defect)
  }
}
