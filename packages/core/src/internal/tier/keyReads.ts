/**
 * Reads of one key each, batched: while a read of the same part is under way, the reads of one turn of
 * the event loop share one step, with one trip, one deadline and one count for the breaker.
 */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { TierError } from "../../Tier.ts"
import { keysPerTierSlice } from "../runtime/limits.ts"
import { atOnce } from "../runtime/syncExit.ts"
import type { Turns } from "../runtime/turns.ts"
import { Budget } from "./budget.ts"
import type { Step, TierSteps } from "./guardedCalls.ts"
import type { TierRead } from "./tierRead.ts"

/** One caller that waits for one key. A class to extend, so that a read makes no further object. */
export abstract class KeyRead {
  abstract readonly key: string
  abstract readonly budget: Budget
  #isOver = false
  #batch: Batch | undefined = undefined
  #step: Step = undefined

  protected abstract found(found: TierRead | undefined): void

  /** Has closing the larder wait for the fiber of a step. */
  abstract own(fiber: Fiber.Fiber<unknown, unknown>): void

  get isOver(): boolean {
    return this.#isOver
  }

  joins(batch: Batch): void {
    this.#batch = batch
  }

  /** The read goes on in a step of its own. */
  follows(step: Step): void {
    this.#step = step
    if (step !== undefined) this.own(step.fiber)
  }

  answer(found: TierRead | undefined): void {
    if (this.#isOver) return
    this.#isOver = true
    this.found(found)
  }

  /** The caller has left. The last caller that leaves interrupts the step. */
  leave(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#step?.cancel()
    this.#batch?.left()
  }
}

type Envelopes = ReadonlyArray<Uint8Array | undefined>

/** What a tier does for its reads. */
export interface Reading {
  readonly read: (keys: ReadonlyArray<string>) => Effect.Effect<Envelopes, TierError>
  readonly decode: (key: string, envelope: Uint8Array | undefined) => Effect.Effect<TierRead>
  readonly turns: Turns
}

/** Each caller asked for one key: none waits behind the work of a call for many. */
const ofManyCallers = { isPrompt: true } as const

/** The reads that share one step. */
class Batch {
  readonly #steps: TierSteps
  readonly #reading: Reading
  readonly #reads: ReadonlyArray<KeyRead>
  readonly #ended: () => void
  readonly #budget: Budget
  #waiting: number
  #step: Step

  constructor(
    steps: TierSteps,
    reading: Reading,
    reads: ReadonlyArray<KeyRead>,
    ended: () => void,
  ) {
    const { left, whole } = reads[0]!.budget
    this.#steps = steps
    this.#reading = reading
    this.#reads = reads
    this.#ended = ended
    this.#budget = new Budget(whole, left)
    this.#waiting = reads.length
  }

  begin(): void {
    const keys = this.#reads.map(({ key }) => key)
    for (const read of this.#reads) read.joins(this)
    this.#steps.lastKey = keys[0]
    const asked = this.#reading.read(keys)
    this.#own(this.#steps.start("read", asked, this.#budget, this.#answered))
  }

  #own(step: Step): void {
    if (step === undefined || step.fiber.pollUnsafe() !== undefined) return
    this.#step = step
    this.#reads[0]!.own(step.fiber)
  }

  left(): void {
    this.#waiting -= 1
    if (this.#waiting === 0) this.#step?.cancel()
  }

  readonly #answered = (envelopes: Envelopes | undefined): void => {
    const { left } = this.#budget
    for (const { budget } of this.#reads) budget.left = left
    // A caller that reads one key after the other waits for no turn.
    if (this.#reads.length === 1) {
      this.#ended()
      this.#tell(this.#reads[0]!, envelopes, 0)
    } else this.#own(this.#steps.follow(this.#tellAll(envelopes), this.#ended))
  }

  #tellAll(envelopes: Envelopes | undefined): Effect.Effect<void> {
    const tell = (read: KeyRead, i: number) => this.#tell(read, envelopes, i)
    return this.#reading.turns.each(this.#reads, tell, ofManyCallers)
  }

  #tell(read: KeyRead, envelopes: Envelopes | undefined, i: number): void {
    // Its caller has left: an entry that cannot be decoded is not reported either.
    if (read.isOver) return
    if (envelopes === undefined) return read.answer(undefined)
    const decoded = this.#reading.decode(read.key, envelopes[i])
    const done = atOnce(decoded)
    if (done !== undefined && Exit.isSuccess(done)) return read.answer(done.value)
    read.follows(this.#steps.follow(decoded, (found) => read.answer(found)))
  }
}

/** The reads of one part. */
class PartReads {
  readonly #steps: TierSteps
  readonly #reading: Reading
  #underWay = 0
  #next: Array<KeyRead> = []

  constructor(steps: TierSteps, reading: Reading) {
    this.#steps = steps
    this.#reading = reading
  }

  /** A read alone begins at once. Further ones wait for the next turn, and are then sent together. */
  add(read: KeyRead): void {
    if (this.#underWay === 0 && this.#next.length === 0) return this.#send([read])
    this.#next.push(read)
    if (this.#next.length === 1) this.#reading.turns.soon(this.#sendNext)
  }

  readonly #sendNext = (): void => {
    const next = this.#next.filter(({ isOver }) => !isOver)
    this.#next = []
    for (let from = 0; from < next.length; from += keysPerTierSlice) {
      this.#send(next.slice(from, from + keysPerTierSlice))
    }
  }

  #send(reads: ReadonlyArray<KeyRead>): void {
    this.#underWay += 1
    new Batch(this.#steps, this.#reading, reads, this.#ended).begin()
  }

  readonly #ended = (): void => {
    this.#underWay -= 1
  }
}

/** The reads of a tier, which are batched for each of its parts. */
export class KeyReads {
  readonly #parts = new WeakMap<TierSteps, PartReads>()
  readonly #reading: Reading

  constructor(reading: Reading) {
    this.#reading = reading
  }

  add(steps: TierSteps, read: KeyRead): void {
    const known = this.#parts.get(steps)
    const reads = known ?? new PartReads(steps, this.#reading)
    if (known === undefined) this.#parts.set(steps, reads)
    reads.add(read)
  }
}
