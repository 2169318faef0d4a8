/** Writes a history while a run goes on. */
import type { Tier } from "@larder/core"
import { type Config, plainRelease, type Release, type Step } from "../plan/Plan.ts"
import type {
  Answer,
  Answered,
  Beat,
  Call,
  Change,
  Delivery,
  History,
  LeaseCall,
  LeaseEnd,
  Leftover,
  Life,
  Lookup,
  Moment,
  Read,
  Received,
  Run,
  Sample,
  Taken,
  Tenure,
  Value,
} from "./History.ts"

/** What the rules see of a message; undefined for one that says nothing of values. */
const receivedOf = (message: Tier.Message): Received | undefined => {
  switch (message._tag) {
    case "Changed":
      return { _tag: "Changed", key: message.key, version: message.version }
    case "Marked":
      return { _tag: "Marked", numbers: message.page.marks.map(({ number }) => number) }
    case "Gap":
      return { _tag: "Gap", isOver: message.isOver }
    case "Released":
      return undefined
  }
}

type New<A extends Call, Set extends string> = Omit<A, "number" | "begin" | "end" | Set | "left">

export class Recorder {
  readonly #now: () => number
  readonly #lives: Array<Life> = []
  readonly #calls: Array<Call> = []
  readonly #lookups: Array<Lookup> = []
  /** By key, how many there are. */
  readonly #lookupsOf = new Map<string, number>()
  readonly #values = new Map<number, Value>()
  readonly #deliveries: Array<Delivery> = []
  readonly #beats: Array<Beat> = []
  readonly #answers: Array<Answered> = []
  readonly #steps: Array<Taken> = []
  readonly #samples: Array<Sample> = []
  readonly #runs: Array<Run> = []
  readonly #leases: Array<LeaseCall> = []
  readonly #tenures: Array<Tenure> = []
  readonly #writes = new Map<Change, Array<Moment>>()
  #order = 0

  constructor(now: () => number) {
    this.#now = now
  }

  /** Virtual time, ms. */
  get now(): number {
    return this.#now()
  }

  /** How much has been recorded. */
  get order(): number {
    return this.#order
  }

  moment(): Moment {
    this.#order += 1
    return { order: this.#order, at: this.#now() }
  }

  life(node: number, release: Release = plainRelease): Life {
    const number = this.#lives.filter((life) => life.node === node).length
    const life: Life = {
      node,
      number,
      release,
      from: this.moment(),
      opened: undefined,
      failure: undefined,
      closing: undefined,
      closed: undefined,
      killed: undefined,
    }
    this.#lives.push(life)
    return life
  }

  value(key: string, tags: ReadonlyArray<string>): number {
    const value = this.#values.size + 1
    this.#values.set(value, { value, key, tags })
    return value
  }

  tagsOf(value: number): ReadonlyArray<string> {
    return this.#values.get(value)?.tags ?? []
  }

  read(read: New<Read, "answers">): Read {
    const { length } = this.#calls
    const begin = this.moment()
    const call: Read = {
      ...read,
      number: length,
      begin,
      end: undefined,
      left: undefined,
      answers: [],
    }
    this.#calls.push(call)
    return call
  }

  answered(read: Read, answers: ReadonlyArray<Answer>): void {
    read.answers = answers
    read.end = this.moment()
  }

  change(
    change: New<
      Change,
      "settled" | "version" | "failure" | "isClosed" | "writes" | "isIdle" | "isDone"
    >,
  ): Change {
    const { length } = this.#calls
    const writes: Array<Moment> = []
    const call: Change = {
      ...change,
      number: length,
      begin: this.moment(),
      writes,
      isIdle: false,
      isDone: false,
      end: undefined,
      left: undefined,
      settled: false,
      version: 0,
      isClosed: false,
      failure: undefined,
    }
    this.#writes.set(call, writes)
    this.#calls.push(call)
    return call
  }

  /** The effect of a change writes the source. */
  wrote(change: Change): Moment {
    const at = this.moment()
    this.#writes.get(change)?.push(at)
    return at
  }

  run(call: Change, key: string, seen: number | undefined, made: number | undefined): void {
    if (made !== undefined) call.value = made
    this.#runs.push({ call, key, seen, made, at: this.moment() })
  }

  lease(asked: Omit<LeaseCall, "begin" | "end" | "outcome">): LeaseCall {
    const call = { ...asked, begin: this.moment(), end: undefined, outcome: undefined }
    this.#leases.push(call)
    return call
  }

  leaseEnded(call: LeaseCall, outcome: LeaseEnd): void {
    call.end = this.moment()
    call.outcome = outcome
  }

  /** The work of a call begins under a token. */
  holds(call: LeaseCall, token: number): Tenure {
    const tenure: Tenure = { call, token, from: this.moment(), to: undefined }
    this.#tenures.push(tenure)
    return tenure
  }

  /** The work ends. */
  yields(tenure: Tenure): void {
    tenure.to = this.moment()
  }

  lookup(
    lookup: Pick<Lookup, "key" | "life" | "behaviour">,
    lagsFrom: Moment | undefined = undefined,
  ): Lookup {
    const { length } = this.#lookups
    const ofKey = this.#lookupsOf.get(lookup.key) ?? 0
    this.#lookupsOf.set(lookup.key, ofKey + 1)
    const begun: Lookup = {
      ...lookup,
      number: length,
      ofKey,
      begin: this.moment(),
      lagsFrom,
      end: undefined,
      outcome: undefined,
      value: undefined,
    }
    this.#lookups.push(begun)
    return begun
  }

  ended(lookup: Lookup, outcome: NonNullable<Lookup["outcome"]>, value?: number): void {
    if (lookup.end !== undefined) return
    lookup.end = this.moment()
    lookup.outcome = outcome
    lookup.value = value
  }

  received(life: Life, message: Received): void {
    this.#deliveries.push({ life, at: this.moment(), message })
  }

  /** A message of a tier; one that says nothing of values is not recorded. */
  heard(life: Life, message: Tier.Message): void {
    const received = receivedOf(message)
    if (received !== undefined) this.received(life, received)
  }

  /** A heartbeat will arrive after `delay`, ms. */
  beat(life: Life, delay: number): void {
    const sentAt = this.#now()
    this.#beats.push({ life, sentAt, at: sentAt + delay })
  }

  requestAnswered(life: Life): void {
    this.#answers.push({ life, at: this.#now() })
  }

  step(step: Step): void {
    this.#steps.push({ step, at: this.moment() })
  }

  sample(life: Life, sampled: Pick<Sample, "entries" | "openBreakers">): void {
    this.#samples.push({ life, at: this.moment(), ...sampled })
  }

  history(
    config: Config,
    ends: Pick<History, "healed" | "quiet"> & { readonly leftovers: ReadonlyArray<Leftover> },
  ): History {
    return {
      config,
      lives: this.#lives,
      calls: this.#calls,
      lookups: this.#lookups,
      runs: this.#runs,
      leases: this.#leases,
      tenures: this.#tenures,
      values: this.#values,
      deliveries: this.#deliveries,
      beats: this.#beats,
      answers: this.#answers,
      steps: this.#steps,
      samples: this.#samples,
      ...ends,
      over: this.moment(),
    }
  }
}
