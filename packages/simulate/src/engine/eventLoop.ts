/**
 * The event loop of a simulation: tasks that are ready, and timers in virtual time. Everything runs
 * synchronously and in one order, so that the same program has the same run.
 */

/** A timer of the loop. */
interface Timer {
  /** ms of virtual time. */
  readonly at: number
  /** Timers of one moment run in the order in which they were set. */
  readonly place: number
  run: (() => void) | undefined
}

/** A simulation without an end: work that never waits for time, or timers that are always due. */
export class NeverQuiet extends Error {
  override readonly name = "NeverQuiet"
}

/** Tasks at one moment. Far more than a step of a simulation has. */
const tasksAtOnce = 20_000

/** Rounds to a microsecond, so that sums of times are exact. */
const exact = (millis: number): number => Math.round(millis * 1_000) / 1_000

const isEarlier = (one: Timer, other: Timer): boolean =>
  one.at < other.at || (one.at === other.at && one.place < other.place)

export class EventLoop {
  /** ms of virtual time. */
  now = 0
  #ready: Array<() => void> = []
  /** A binary heap, the earliest first. */
  readonly #timers: Array<Timer> = []
  #place = 0

  /** Runs a task after all tasks that are ready. */
  soon(task: () => void): void {
    this.#ready.push(task)
  }

  /** Runs a task after `millis`; the returned function cancels it. */
  after(millis: number, run: () => void): () => void {
    this.#place += 1
    const timer: Timer = { at: exact(this.now + millis), place: this.#place, run }
    this.#push(timer)
    return () => {
      timer.run = undefined
    }
  }

  /** Runs what is ready, and what that makes ready, without time passing. */
  drain(): void {
    for (let ran = 0; this.#ready.length > 0;) {
      const tasks = this.#ready
      this.#ready = []
      for (const task of tasks) task()
      ran += tasks.length
      if (ran > tasksAtOnce) throw new NeverQuiet(`${ran} tasks ran at ${this.now} ms`)
    }
  }

  /** Lets `millis` pass, from one timer to the next. */
  pass(millis: number): void {
    const end = exact(this.now + millis)
    this.drain()
    for (let fired = 0, at = this.now; ;) {
      const next = this.#timers[0]
      if (next === undefined || next.at > end) break
      this.#pop()
      if (next.run === undefined) continue
      fired = next.at === at ? fired + 1 : 0
      if (fired > tasksAtOnce) throw new NeverQuiet(`${fired} timers fired at ${at} ms`)
      at = next.at
      this.now = Math.max(this.now, next.at)
      next.run()
      this.drain()
    }
    this.now = end
  }

  #push(timer: Timer): void {
    const heap = this.#timers
    let place = heap.length
    heap.push(timer)
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (!isEarlier(timer, heap[parent]!)) break
      heap[place] = heap[parent]!
      place = parent
    }
    heap[place] = timer
  }

  #pop(): void {
    const heap = this.#timers
    const last = heap.pop()!
    if (heap.length === 0) return
    let place = 0
    for (;;) {
      let child = 2 * place + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isEarlier(heap[child + 1]!, heap[child]!)) child += 1
      if (!isEarlier(heap[child]!, last)) break
      heap[place] = heap[child]!
      place = child
    }
    heap[place] = last
  }
}
