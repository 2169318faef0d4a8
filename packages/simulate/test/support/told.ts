/** Histories told by hand, for tests of the rules. */
import { check } from "../../src/check/check.ts"
import type { Law } from "../../src/check/Violation.ts"
import type {
  Answer,
  Change,
  Freshness,
  History,
  LeaseCall,
  LeaseEnd,
  Leftover,
  Life,
  Lookup,
  Moment,
  Read,
  ReadOp,
  Tenure,
  Transaction,
} from "../../src/history/History.ts"
import { epoch } from "../../src/engine/process.ts"
import { Recorder } from "../../src/history/Recorder.ts"
import { plainConfig } from "../../src/plan/plain.ts"
import { type Config, counterKey, keyOf, type Step } from "../../src/plan/Plan.ts"

export const key = keyOf(0)

export class Told {
  now = 0
  readonly #recorder = new Recorder(() => this.now)
  readonly a: Life
  readonly b: Life
  readonly #config: Config
  leftovers: ReadonlyArray<Leftover> = []
  #rest: Pick<History, "healed" | "quiet"> | undefined

  constructor(config: Partial<Config> = {}) {
    this.#config = plainConfig({ freshFor: 10_000, latency: 0, ...config })
    this.a = this.#recorder.life(0, config.releases?.[0])
    this.b = this.#recorder.life(1, config.releases?.[1])
    for (const life of [this.a, this.b]) life.opened = this.#recorder.moment()
  }

  at(millis: number): this {
    this.now = millis
    return this
  }

  step(step: Step): void {
    this.#recorder.step(step)
  }

  value(tags: ReadonlyArray<string> = []): number {
    return this.#recorder.value(key, tags)
  }

  /** `lagsFrom`: the first write that its replica does not have. */
  lookup(life: Life, lagsFrom?: Moment): Lookup {
    return this.#recorder.lookup({ key, life, behaviour: "answers" }, lagsFrom)
  }

  ended(lookup: Lookup, outcome: NonNullable<Lookup["outcome"]>, value?: number): void {
    this.#recorder.ended(lookup, outcome, value)
  }

  /** A lookup without duration; returns its value. */
  lookedUp(life: Life): number {
    const value = this.value()
    this.ended(this.lookup(life), "value", value)
    return value
  }

  asks(
    life: Life,
    op: ReadOp,
    options: Partial<Pick<Read, "maxAge" | "check" | "isFinal">> = {},
  ): Read {
    return this.#recorder.read({
      _tag: "Read",
      op,
      life,
      keys: [key],
      maxAge: undefined,
      allowStale: true,
      check: false,
      isFinal: false,
      ...options,
    })
  }

  leaves(read: Read): void {
    read.left = this.#recorder.moment()
  }

  answered(read: Read, ...answers: ReadonlyArray<Answer>): void {
    this.#recorder.answered(read, answers)
  }

  /** A call that is answered at once. */
  given(
    life: Life,
    value: number,
    freshness: Freshness | undefined,
    options: Partial<Pick<Read, "maxAge" | "check">> = {},
  ): void {
    const answer = { _tag: "Value", key, value, freshness, tier: "memory" } as const
    this.answered(this.asks(life, "getWithMeta", options), answer)
  }

  /** A change that is acknowledged at once. */
  changed(life: Life, op: Change["op"], more: Partial<Change> = {}): Change {
    const change = this.#recorder.change({
      _tag: "Change",
      op,
      life,
      key: op === "invalidateTags" || op === "clear" ? undefined : key,
      tags: [],
      keepStale: op === "expire",
      value: undefined,
      ...more,
    })
    change.settled = more.settled ?? true
    change.version = more.version ?? (epoch + this.now) * 1_000
    change.end = this.#recorder.moment()
    return change
  }

  /** A call that writes the source begins. */
  begins(
    life: Life,
    op: "around" | "through" | "update",
    of = key,
    more: Pick<Change, "transaction"> = {},
  ): Change {
    return this.#recorder.change({
      _tag: "Change",
      op,
      life,
      key: of,
      tags: [],
      keepStale: true,
      value: undefined,
      ...more,
    })
  }

  /** The transaction of a call commits: the source has what it writes. */
  commits(transaction: Transaction, ...calls: ReadonlyArray<Change>): void {
    for (const call of calls) this.#recorder.wrote(call)
    transaction.committed = this.#recorder.moment()
  }

  wrote(change: Change): Moment {
    return this.#recorder.wrote(change)
  }

  /** The function of an update, or the effect of a `through`, makes a value. */
  makes(change: Change, seen: number | undefined): number {
    const made = this.#recorder.value(change.key!, [])
    this.#recorder.run(change, change.key!, seen, made)
    return made
  }

  /** It ends, done and settled unless said otherwise. */
  ends(change: Change, more: Partial<Change> = {}): void {
    Object.assign(change, { settled: true, isDone: true, keepStale: false }, more)
    change.version = (epoch + this.now) * 1_000
    change.end = this.#recorder.moment()
  }

  /** An update whose function sees a value; returns the one that it makes. */
  counts(life: Life, seen: number | undefined, more: Partial<Change> = {}): number {
    const change = this.begins(life, "update", counterKey)
    const made = this.makes(change, seen)
    this.ends(change, more)
    return made
  }

  /** A call for a lease of 400 ms. */
  asksForLease(life: Life): LeaseCall {
    return this.#recorder.lease({ name: "job", life, lease: 400, wait: 0, work: 200 })
  }

  leaseEnds(call: LeaseCall, outcome: LeaseEnd): void {
    this.#recorder.leaseEnded(call, outcome)
  }

  /** The work of a call for a lease begins. */
  tenure(life: Life, token: number, call = this.asksForLease(life)): Tenure {
    return this.#recorder.holds(call, token)
  }

  /** The work ends, and the call. */
  yields(tenure: Tenure, outcome: LeaseEnd = "done"): void {
    this.#recorder.yields(tenure)
    this.leaseEnds(tenure.call, outcome)
  }

  hears(life: Life, { version }: Change): void {
    this.#recorder.received(life, { _tag: "Changed", key, version })
  }

  /** The arbiter answers a request. */
  confirms(life: Life): void {
    this.#recorder.requestAnswered(life)
  }

  beat(life: Life): void {
    this.#recorder.beat(life, 0)
  }

  holds(life: Life, entries: number, openBreakers: ReadonlyArray<string> = []): void {
    this.#recorder.sample(life, { entries, openBreakers })
  }

  /** Its larder begins to close. */
  closes(life: Life): void {
    life.closing = this.#recorder.moment()
  }

  /** All has healed, and the nodes have had time to recover. */
  rests(): void {
    this.#rest = { healed: this.#recorder.moment(), quiet: this.#recorder.moment() }
  }

  /** At rest, a node reads the key without looking it up. */
  has(life: Life, value: number | undefined): void {
    const answer: Answer =
      value === undefined
        ? { _tag: "Nothing", key }
        : { _tag: "Value", key, value, freshness: "Fresh", tier: "memory" }
    this.answered(this.asks(life, "read", { isFinal: true }), answer)
  }

  /** The laws that the history breaks. */
  broken(): ReadonlyArray<Law> {
    if (this.#rest === undefined) this.rests()
    const { leftovers } = this
    for (const life of [this.a, this.b]) {
      life.closing ??= this.#recorder.moment()
      life.closed ??= this.#recorder.moment()
    }
    const history = this.#recorder.history(this.#config, { ...this.#rest!, leftovers })
    return [...new Set(check(history).map(({ law }) => law))]
  }
}
