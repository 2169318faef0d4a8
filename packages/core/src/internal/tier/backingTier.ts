/**
 * A tier behind memory, as one larder sees it: entries instead of bytes, in the
 * node's own time; each step bounded in time and behind a breaker, so that a
 * sick tier costs little and then nothing. A step that fails gives `undefined`.
 */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import { nextNumber, usable } from "../../Arbitration.ts"
import * as Entry from "../../Entry.ts"
import * as Envelope from "../../Envelope.ts"
import {
  type Acquired,
  type AcquireRequest,
  type Arbiter,
  type LeaseRequest,
  type ByteStore,
  type ByteTier,
  type CommitRequest,
  type Committed as Arbitrated,
  type Notice,
  type TierError,
  type Write,
} from "../../Tier.ts"
import * as Wire from "../../Wire.ts"
import { atOnce, mapAtOnce } from "../runtime/syncExit.ts"
import { monotonicMillis } from "../runtime/monotonic.ts"
import { MarkReading } from "./markSync.ts"
import type { Marks } from "../invalidation/marks.ts"
import { inSteadyTime } from "../runtime/steadyBreaker.ts"
import type { SteadyClock } from "../runtime/steadyClock.ts"
import { byPart, CommitBatches, Queues } from "./batches.ts"
import { Budget } from "./budget.ts"
import { type Step, TierSteps } from "./guardedCalls.ts"
import { TierParts } from "./parts.ts"
import { type Bounds, TierTime } from "./tierClock.ts"
import { TierWarnings } from "./tierWarnings.ts"
import { Timers } from "../runtime/deadlines.ts"
import { Trust } from "./confirmedEntries.ts"
import type { Turns } from "../runtime/turns.ts"
import type { Observer } from "../observe/eventHub.ts"

/** What a tier has at a key. Times are the node's. */
export type TierRead =
  | {
      readonly _tag: "Entry"
      readonly entry: Entry.Entry<unknown>
      /** When the arbiter last said that it has this one, in monotonic time; undefined where nobody arbitrates, or it has not. */
      readonly confirmedAt?: number | undefined
    }
  /** Nothing that can be used; `version` is the highest there was, 0 for none. `isRemoved`: at that version the key was removed. */
  | { readonly _tag: "Nothing"; readonly version: number; readonly isRemoved?: boolean }
  /** A newer release of the application wrote it: to be left alone. */
  | { readonly _tag: "Foreign"; readonly version: number }

export type TierEntry = Extract<TierRead, { readonly _tag: "Entry" }>

const nothing: TierRead = { _tag: "Nothing", version: 0 }

export type Granted =
  | { readonly _tag: "Newer"; readonly found: TierRead }
  | { readonly _tag: "Busy"; readonly leftMillis: number }
  | { readonly _tag: "Failed"; readonly leftMillis: number }
  | { readonly _tag: "Won"; readonly token: number }

/** What a caller does to a key; with `at`, at that place in the arbiter's order. */
export type Change =
  | { readonly _tag: "Set"; readonly entry: Entry.Entry<unknown>; readonly at?: number | undefined }
  | { readonly _tag: "Remove"; readonly at?: number | undefined }
  | { readonly _tag: "Expire" }

/** How the arbiter took a value; `Unjudged`: it is stored, but not all marks that may cover it could be read. */
export type Committed = Arbitrated["decision"] | "Unjudged"

/** What a change has come to at the arbiter. */
export interface Written {
  readonly version: number
  /** Of a value that was set: above all marks that came before it. */
  readonly asOf: number | undefined
}

export interface Options {
  readonly larder: string
  /** Of the values; needs what is in `context`. */
  readonly codec: Envelope.Codec<unknown>
  readonly context: Context.Context<never>
  readonly schemaVersion: number
  readonly tierTimeout: number
  /** How long memory takes for fresh what was confirmed, ms. */
  readonly maxFreshFor?: number | undefined
  /** The node's time. */
  readonly clock: SteadyClock
  readonly observer: Observer
  readonly marks: Marks
  /** For work on many keys. */
  readonly turns: Turns
}

/** Marks that nodes set elsewhere are looked for at most this much later, while the tier is read. */
const markMaxAge = 5_000
/** Many changes in one millisecond take numbers of those to come: not of more than so many. */
const versionsAhead = 1_000
const breakerOpenFor = Duration.seconds(5)
const breakerFailures = 5
/** Values that are decoded side by side: each has its own time, which others must not take. */
const decodedAtOnce = 16
/** Requests side by side to an arbiter that takes one key at a time: more take longer each, and in all. */
const askedAtOnce = 64

/** The lifetime as a store takes it. */
const lifeUntil = (staleUntil: number, now: number): number =>
  staleUntil === Entry.forever ? Infinity : staleUntil - now

/** What a tier may still have when a change was made without its arbiter: anything. */
const whatever = Number.MAX_SAFE_INTEGER

export class FartherTier {
  readonly name: string
  readonly scope: ByteTier["scope"]
  readonly arbiter: Arbiter | undefined
  readonly breaker: CircuitBreaker.CircuitBreaker
  readonly #store: ByteStore
  readonly #wire: Wire.Wire
  readonly #namespace: string | undefined
  readonly #options: Options
  /** The arbiter itself is believed. */
  readonly #trust: Trust | undefined
  readonly #isInFront: boolean
  /** Nobody orders changes: each process numbers its own by its clock. */
  readonly #isAlone: boolean
  readonly #parts: TierParts
  readonly #warnings: TierWarnings
  readonly time: TierTime
  /** Of the arbiter's marks; undefined in a tier that does not arbitrate. */
  readonly #marking: MarkReading | undefined
  /** What it stands in front of. */
  #behind: FartherTier | undefined
  readonly #queues = new Queues()
  readonly #commits: CommitBatches

  constructor(
    tier: ByteTier,
    store: ByteStore,
    breaker: CircuitBreaker.CircuitBreaker,
    options: Options,
    role: Role,
    parts: TierParts,
    warnings: TierWarnings,
    fork: (effect: Effect.Effect<void>) => void,
  ) {
    this.name = tier.name
    this.scope = tier.scope
    this.arbiter = role === "arbiter" ? store.arbiter : undefined
    this.#trust = role === "arbiter" ? undefined : new Trust()
    this.#isInFront = role === "inFront"
    this.#isAlone = role === "alone"
    this.breaker = breaker
    this.#store = store
    this.#wire = tier.wire ?? Wire.json
    this.#namespace = tier.namespace
    this.#options = options
    this.#parts = parts
    this.#warnings = warnings
    const { clock, marks, maxFreshFor = Infinity } = options
    this.time = new TierTime(clock, tier.scope)
    this.#marking =
      this.arbiter &&
      new MarkReading({
        arbiter: this.arbiter,
        marks,
        clock,
        time: this.time,
        // What is taken over from the arbiter is confirmed by marks of that age: half of the time is left.
        maxAgeMillis: Math.min(markMaxAge, maxFreshFor / 2),
        steps: () => parts.stepsOf(undefined),
        fork,
      })
    this.#commits = new CommitBatches(
      (steps, requests) => this.#commitBatch(steps, requests),
      Effect.runForkWith(options.context),
      options.turns,
    )
  }

  /** From now on what it has is believed by the marks of the arbiter behind it. */
  standsInFrontOf(arbiter: FartherTier): void {
    this.#behind = arbiter
  }

  /** From now on every step is tried, though the breaker is open. */
  insist(): void {
    this.#parts.insist()
  }

  /** The names of its breaker's circuits: its own, and one for each part that it has. */
  get circuits(): ReadonlyArray<string> {
    return this.#parts.current().map(({ circuit }) => circuit)
  }

  /** Whether it is one server, so that what holds for one key holds for all. */
  get isOne(): boolean {
    return this.#parts.isOne
  }

  /** The part of the tier that a key is on; `undefined` asks for the marks. */
  partOf(key: string | undefined): string {
    return this.#parts.of(key)
  }

  /**
   * What is at these keys, in one trip to each part of the tier that has some of
   * them; `undefined` for keys whose part gave no answer.
   */
  read(
    keys: ReadonlyArray<string>,
    budget: Budget,
  ): Effect.Effect<ReadonlyArray<TierRead | undefined>> {
    if (this.#parts.isOne || keys.length === 1) {
      return this.#readPart(this.#parts.of(keys[0]), keys, budget)
    }
    return byPart(this.#parts, keys, keyItself, budget, (part, theirs, own) =>
      this.#readPart(part, theirs, own),
    )
  }

  /** What is at this key, told as soon as it is known: as `read`, for what readers mostly ask. */
  readOne(key: string, budget: Budget, answer: (found: TierRead | undefined) => void): Step {
    const part = this.#parts.of(key)
    const steps = this.#parts.steps(part)
    if (this.#needsMarksApart(part)) {
      const apart = Effect.map(this.#readPart(part, [key], budget), ([found]) => found)
      return steps.follow(apart, answer)
    }
    steps.lastKey = key
    const read = this.#withMarks(this.#store.read([key]))
    return steps.start("read", read, ([envelope]) => this.#found(key, envelope), budget, answer)
  }

  /**
   * Marks that another part keeps are a step of that part, beside the read. While
   * that part is away, entries are judged by the marks known so far; a node that has
   * never known any cannot judge, and has no answer.
   */
  #readPart(
    part: string,
    keys: ReadonlyArray<string>,
    budget: Budget,
  ): Effect.Effect<ReadonlyArray<TierRead | undefined>> {
    return Effect.suspend(() => {
      const steps = this.#parts.steps(part)
      steps.lastKey = keys[0]
      const read = this.#store.read(keys)
      const answered = this.#needsMarksApart(part)
        ? besides(
            steps.run("read", read, budget),
            this.#marksElsewhere(new Budget(budget.whole, budget.left)),
          )
        : steps.run("read", this.#withMarks(read), budget)
      return Effect.flatMap(answered, (envelopes) =>
        envelopes === undefined || !this.#knowsMarks
          ? Exit.succeed(keys.map(() => undefined))
          : this.#foundAt(keys, envelopes, budget),
      )
    })
  }

  /** Not in the tier's time: what this node makes of its answer is no slowness of the tier. */
  #foundAt(
    keys: ReadonlyArray<string>,
    envelopes: ReadonlyArray<Uint8Array | undefined>,
    budget: Budget,
  ): Effect.Effect<ReadonlyArray<TierRead | undefined>> {
    const all: Array<Effect.Effect<TierRead>> = []
    const { clock, turns } = this.#options
    const decoding = turns.each(keys, (key, i) => {
      all.push(this.#found(key, envelopes[i]))
    })
    return Effect.flatMap(decoding, (): Effect.Effect<ReadonlyArray<TierRead | undefined>> => {
      const found = atOnce(allAtOnce(all))
      if (found !== undefined) return found
      const until = monotonicMillis(clock) + budget.left
      // Those whose turn comes after the caller's time are left out; the tier has answered for them.
      const inTime = (one: Effect.Effect<TierRead>) =>
        Effect.suspend((): Effect.Effect<TierRead | undefined> =>
          monotonicMillis(clock) < until ? one : Exit.succeed(undefined),
        )
      return Effect.forEach(all, inTime, { concurrency: decodedAtOnce })
    })
  }

  /** Whether marks are to be read before entries of this part are believed, and another server has them. */
  #needsMarksApart(part: string): boolean {
    if (this.#behind !== undefined) return this.#behind.#marking?.isDue === true
    return this.#marking?.isRecent === false && this.#hasMarksApart(part)
  }

  #hasMarksApart(part: string): boolean {
    return this.#parts.of(undefined) !== part
  }

  get #knowsMarks(): boolean {
    return this.#marking?.isKnown !== false
  }

  /** Of the arbiter, that is this tier or the one behind it. */
  #marksElsewhere(budget?: Budget): Effect.Effect<unknown> {
    return (this.#behind ?? this).#marksRead("page", budget)
  }

  /** As a step of its own; says whether there was an answer. Of an arbiter alone. */
  #marksRead(kind: "page" | "latest", budget?: Budget): Effect.Effect<boolean> {
    const asked = Effect.as(this.#marking![kind], true)
    const answered = this.#parts.stepsOf(undefined).run("marks", asked, budget)
    return Effect.map(answered, (done) => done === true)
  }

  /** Asks each part that has failed of late, whatever its breaker says; one that answers is used again. */
  get probed(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const marking = this.#marking
      const marked = this.#parts.stepsOf(undefined)
      const probes = this.#parts.current().map((steps) => {
        if (marking !== undefined && steps === marked) return steps.probe(marking.page)
        const key = steps.lastKey
        return key === undefined ? Effect.void : steps.probe(this.#store.read([key]))
      })
      return Effect.all(probes, { concurrency: "unbounded", discard: true })
    })
  }

  /** Its clock must be known before anything is written: an entry's times are the tier's. */
  get ready(): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.time.isKnown ? Effect.void : Effect.asVoid(this.#marksRead("page")),
    )
  }

  /** The version of a change that the arbiter has not heard of: its place, and above all that is known. */
  placeAbove(known: number, moment: number, bound: keyof Bounds): number {
    return Math.max(known + 1, this.time.placeOf(moment, bound) ?? 0)
  }

  acquire(key: string, request: LeaseRequest, budget: Budget): Effect.Effect<Granted | undefined> {
    return Effect.suspend(() => {
      const asked = this.#ask((arbiter) => arbiter.acquire(key, request))
      const acquired = this.#acquired(this.#parts.of(key), asked, budget)
      return Effect.flatMap(acquired, (acquired): Effect.Effect<Granted | undefined> =>
        acquired === undefined ? Exit.succeed(undefined) : this.#granted(key, acquired),
      )
    })
  }

  #acquired<A>(
    part: string,
    asked: Effect.Effect<A, TierError>,
    budget: Budget,
  ): Effect.Effect<A | undefined> {
    return Effect.suspend(() => {
      const isApart = !this.#knowsMarks && this.#hasMarksApart(part)
      const step = isApart ? asked : this.#withFirstMarks(asked)
      const acquired = this.#parts.steps(part).run("acquire", step, budget)
      return isApart ? besides(acquired, this.#marksRead("page")) : acquired
    })
  }

  /**
   * As `acquire` for many keys: one step in each part of the tier that has some of them.
   * `undefined` for a key whose part gave no answer.
   */
  acquireAll(
    requests: ReadonlyArray<AcquireRequest>,
    budget: Budget,
  ): Effect.Effect<ReadonlyArray<Granted | undefined>> {
    const { arbiter } = this
    if (arbiter?.acquireAll === undefined || requests.length === 1) {
      return this.#acquireEach(requests, budget)
    }
    const { acquireAll } = arbiter
    return byPart(this.#parts, requests, keyOf, budget, (part, theirs, own) => {
      const steps = this.#parts.steps(part)
      const asked = this.#acquired(part, acquireAll(theirs), own)
      return Effect.flatMap(this.#queues.run(steps, theirs.length, asked), (acquired) =>
        allAtOnce(
          theirs.map(({ key }, i): Effect.Effect<Granted | undefined> => {
            const one = acquired?.[i]
            return one === undefined ? Exit.succeed(undefined) : this.#granted(key, one)
          }),
        ),
      )
    })
  }

  #acquireEach(
    requests: ReadonlyArray<AcquireRequest>,
    budget: Budget,
  ): Effect.Effect<ReadonlyArray<Granted | undefined>> {
    return Effect.suspend(() => {
      const { clock } = this.#options
      const began = monotonicMillis(clock)
      // All of them together take no longer than one may: those that come last may have nothing left.
      const left = () => budget.left - (monotonicMillis(clock) - began)
      return Effect.forEach(
        requests,
        ({ key, ...request }) =>
          Effect.suspend(() => this.acquire(key, request, new Budget(budget.whole, left()))),
        { concurrency: askedAtOnce },
      )
    })
  }

  renew(key: string, token: number, leaseMillis: number): Effect.Effect<boolean | undefined> {
    return this.#parts.stepsOf(key).run(
      "renew",
      this.#ask((arbiter) => arbiter.renew(key, token, leaseMillis)),
    )
  }

  release(key: string, token: number, failedMillis: number): Effect.Effect<void> {
    return this.#parts.stepsOf(key).run(
      "release",
      this.#ask((arbiter) => arbiter.release(key, token, failedMillis)),
    )
  }

  commit(key: string, entry: Entry.Entry<unknown>): Effect.Effect<Committed | undefined> {
    return this.#encoded(key, entry, (bytes, life) => {
      const committed = this.#parts.stepsOf(key).run(
        "commit",
        this.#ask((arbiter) => arbiter.commit(key, entry.version, bytes, life)),
        undefined,
        this.#warnings.ofSize(bytes.length),
      )
      return Effect.map(
        this.#upToItsMarks(key, committed),
        (done): Committed | undefined => done && judged(done.answer, done.knowsMarks),
      )
    })
  }

  /** Whether {@link acquireAll} asks for the leases of many keys in one trip. */
  get leasesMany(): boolean {
    return this.arbiter?.acquireAll !== undefined
  }

  /** Whether {@link commitAmong} puts commits of many keys into one trip. */
  get commitsMany(): boolean {
    return this.arbiter?.commitAll !== undefined
  }

  /** Waits while very many commits wait. */
  get commitRoom(): Effect.Effect<void> {
    return this.#commits.room
  }

  /** As `commit`, in one trip with others of this moment that are on the same part of the tier. */
  commitAmong(key: string, entry: Entry.Entry<unknown>): Effect.Effect<Committed | undefined> {
    return this.#encoded(key, entry, (envelope, lifeMillis) => {
      const request = { key, token: entry.version, envelope, lifeMillis }
      return this.#commits.commit(this.#parts.stepsOf(key), request)
    })
  }

  /** Those of one part of the tier; the marks are read once for all of them. */
  #commitBatch(
    steps: TierSteps,
    requests: ReadonlyArray<CommitRequest>,
  ): Effect.Effect<ReadonlyArray<Committed | undefined>> {
    const stored = Effect.map(this.#committed(steps, requests), (answers) => {
      const known = answers.filter((answer) => answer !== undefined)
      if (known.length === 0) return undefined
      return { answers, lastMark: Math.max(...known.map(({ lastMark = Infinity }) => lastMark)) }
    })
    return Effect.map(this.#upToItsMarks(requests[0]!.key, stored), (done) =>
      done === undefined
        ? []
        : done.answer.answers.map((answer) => answer && judged(answer, done.knowsMarks)),
    )
  }

  #committed(
    steps: TierSteps,
    requests: ReadonlyArray<CommitRequest>,
  ): Effect.Effect<ReadonlyArray<Arbitrated | undefined>> {
    const commitAll = this.arbiter?.commitAll
    if (requests.length === 1 || commitAll === undefined) {
      return Effect.forEach(requests, ({ envelope, key, lifeMillis, token }) =>
        steps.run(
          "commit",
          this.#ask((arbiter) => arbiter.commit(key, token, envelope, lifeMillis)),
          undefined,
          this.#warnings.ofSize(envelope.length),
        ),
      )
    }
    return Effect.map(steps.run("commit", commitAll(requests)), (answers) => answers ?? [])
  }

  /** A caller's change; undefined where the arbiter did not take it, or not for certain. */
  write(
    key: string,
    change: Change,
    known: number,
    budget?: Budget,
  ): Effect.Effect<Written | "unwritable" | undefined> {
    if (change._tag !== "Set") {
      return Effect.map(this.#written(key, change, known, budget), (written) =>
        written === undefined ? undefined : { version: written.version, asOf: undefined },
      )
    }
    const { at, entry } = change
    return this.#encoded<Written | "unwritable">(
      key,
      entry,
      (envelope, lifeMillis) => {
        const written = this.#written(key, { _tag: "Set", envelope, lifeMillis, at }, known, budget)
        // A change with a place in the order covers the marks up to that place.
        return at === undefined
          ? Effect.flatMap(this.#upToItsMarks(key, written), (done) =>
              done === undefined || !done.knowsMarks
                ? Exit.succeed(undefined)
                : this.#aboveItsMarks(key, entry, done.answer.version, budget),
            )
          : Effect.map(written, (done) => done && { version: done.version, asOf: entry.asOf })
      },
      "unwritable",
    )
  }

  #written(
    key: string,
    write: Write,
    known: number,
    budget: Budget | undefined,
  ): Effect.Effect<Answered | undefined> {
    const { clock } = this.#options
    const asked = Effect.suspend(() => {
      const sent = monotonicMillis(clock)
      return Effect.map(
        this.#ask((arbiter) => arbiter.write(key, write, known)),
        (answer) => {
          this.time.heard(answer.time, sent, monotonicMillis(clock))
          this.time.wasGiven(answer.version)
          return answer
        },
      )
    })
    const onFailure =
      write._tag === "Set" ? this.#warnings.ofSize(write.envelope.length) : undefined
    return this.#parts.stepsOf(key).run("write", asked, budget, onFailure)
  }

  /**
   * A step that stores a value, and then the marks up to its answer: other nodes may have set
   * some since this node read them. A tier of several servers does not tell of them with its
   * answer: they are asked for at the same time. While the server that has them is away, what
   * another one stores is judged by the marks that are known.
   */
  #upToItsMarks<A extends { readonly lastMark: number | undefined }>(
    key: string,
    stored: Effect.Effect<A | undefined>,
  ): Effect.Effect<{ readonly answer: A; readonly knowsMarks: boolean } | undefined> {
    if (!this.#parts.isOne) {
      const both = Effect.all([stored, this.#marksRead("latest")], { concurrency: "unbounded" })
      return Effect.map(both, ([answer, isRead]) => {
        const knowsMarks = isRead || this.#hasMarksApart(this.#parts.of(key))
        return answer && { answer, knowsMarks }
      })
    }
    return Effect.flatMap(stored, (answer) => {
      if (answer === undefined) return Exit.succeed(undefined)
      const { lastMark = Infinity } = answer
      if (lastMark <= this.#options.marks.readUpTo) {
        return Exit.succeed({ answer, knowsMarks: true })
      }
      this.#marking?.hear(lastMark)
      return Effect.map(this.#marksRead("latest"), (knowsMarks) => ({ answer, knowsMarks }))
    })
  }

  /**
   * Race: another node has set a mark before this value was set, and this node had not heard
   * of it when it wrote the value: to all others the mark would cover it. So it is written once
   * more, above the mark, unless somebody has changed the key since.
   */
  #aboveItsMarks(
    key: string,
    entry: Entry.Entry<unknown>,
    version: number,
    budget: Budget | undefined,
  ): Effect.Effect<Written | undefined> {
    const { marks } = this.#options
    if (marks.judge(entry) === "valid") return Exit.succeed({ version, asOf: entry.asOf })
    const asOf = marks.last
    const at = nextNumber(0, version)
    return this.#encoded(key, { ...entry, asOf }, (envelope, lifeMillis) => {
      const written = this.#written(key, { _tag: "Set", envelope, lifeMillis, at }, 0, budget)
      return Effect.map(written, (done) => done && { version: at, asOf })
    })
  }

  /** Sets marks and takes over the arbiter's; gives their number. */
  mark(
    tags: ReadonlyArray<string | undefined>,
    keepStale: boolean,
    budget?: Budget,
  ): Effect.Effect<number | undefined> {
    const { clock, marks } = this.#options
    const step = Effect.suspend(() => {
      const since = marks.last
      return Effect.map(
        this.#ask((arbiter) => arbiter.mark(tags, keepStale, since)),
        (page) => {
          marks.merge(page, since, clock.currentTimeMillisUnsafe())
          return page.number
        },
      )
    })
    const marked = this.#parts.stepsOf(undefined).run("mark", step, budget)
    // Race: this node has numbered marks itself, and may have missed others below them. Until they
    // are read all older entries are stale: so who reads after the mark would look up for nothing.
    return Effect.flatMap(marked, (number) =>
      number !== undefined && marks.isBehind
        ? Effect.as(this.#marksRead("latest", budget), number)
        : Effect.succeed(number),
    )
  }

  /**
   * Keeps an entry over a lower version; says whether the tier now has nothing older.
   * `confirmed`: when the arbiter last said that it has the entry, in monotonic time; now by default.
   */
  put(key: string, entry: Entry.Entry<unknown>, confirmed?: number): Effect.Effect<boolean> {
    const stored = this.#encoded(key, entry, (bytes, life) =>
      this.#parts
        .stepsOf(key)
        .run(
          "put",
          this.#putOver(key, bytes, life),
          undefined,
          this.#warnings.ofSize(bytes.length),
        ),
    )
    const trust = this.#trust
    if (trust === undefined) return Effect.map(stored, (done) => done !== undefined)
    return Effect.suspend(() => {
      const confirmedAt = confirmed ?? monotonicMillis(this.#options.clock)
      trust.beginPut(key)
      return Effect.flatMap(stored, (done) => {
        const dropped = trust.endPut(key)
        if (dropped >= entry.version) return this.drop(key, dropped)
        if (done !== undefined) trust.kept(key, entry, done, confirmedAt)
        return Effect.succeed(done !== undefined)
      }).pipe(Effect.onInterrupt(() => Effect.sync(() => trust.endPut(key))))
    })
  }

  /**
   * Like `put`, but over whatever is there: the entry's version is this node's
   * own guess, since no arbiter was there to give one.
   */
  replace(key: string, entry: Entry.Entry<unknown>): Effect.Effect<boolean> {
    return Effect.flatMap(this.drop(key, whatever), (done) =>
      done ? this.put(key, entry) : Effect.succeed(false),
    )
  }

  /** Drops what is there up to a version, whatever is there by default. What cannot be dropped is not given any more. */
  drop(key: string, version: number = whatever, budget?: Budget): Effect.Effect<boolean> {
    const step = Effect.as(this.#dropUpTo(key, version), true)
    return Effect.suspend(() => {
      this.#trust?.dropping(key, version)
      return Effect.map(this.#parts.stepsOf(key).run("drop", step, budget), (done) => {
        // Race: what was read elsewhere before the change came and is being put since.
        this.#trust?.dropping(key, version)
        if (done === true) this.#trust?.gone(key)
        else this.#trust?.miss(key, version)
        return done === true
      })
    })
  }

  #putOver(
    key: string,
    envelope: Uint8Array,
    lifeMillis: number,
  ): Effect.Effect<boolean, TierError> {
    const put = this.#store.put(key, envelope, lifeMillis)
    if (!this.#isAlone) return put
    return Effect.flatMap(put, (done) =>
      done
        ? Effect.succeed(true)
        : Effect.flatMap(this.#futureVersion(key), (version) =>
            version === 0
              ? Effect.succeed(false)
              : Effect.andThen(this.#store.drop(key, version), put),
          ),
    )
  }

  #dropUpTo(key: string, version: number): Effect.Effect<void, TierError> {
    if (!this.#isAlone || version === whatever) return this.#store.drop(key, version)
    return Effect.flatMap(this.#futureVersion(key), (future) =>
      this.#store.drop(key, Math.max(version, future)),
    )
  }

  /**
   * The version at a key where it is of a time to come, else 0. A process whose clock
   * was ahead gave it, and no arbiter gives higher ones: until that time it would be
   * newer than whatever this process changes.
   */
  #futureVersion(key: string): Effect.Effect<number, TierError> {
    return Effect.map(this.#store.read([key]), ([envelope]) => {
      const version = envelope === undefined ? 0 : usable(Envelope.version(envelope))
      const latest = nextNumber(this.#options.clock.currentTimeMillisUnsafe() + versionsAhead)
      return version > latest ? version : 0
    })
  }

  /**
   * Ends the freshness of what is there up to a version, whatever is there by default, and
   * keeps it for when upstream fails; says whether nothing up to that version is fresh any
   * more. What cannot be expired is dropped. Not for the arbiter, which is told of the change.
   */
  expire(key: string, version: number = whatever, budget: Budget): Effect.Effect<boolean> {
    const trust = this.#trust!
    return Effect.gen({ self: this }, function* () {
      // Race: a lookup's or a caller's value is being put, and is what has to be expired.
      yield* trust.putsEnded(key)
      const read = yield* this.#parts.stepsOf(key).run("read", this.#store.read([key]), budget)
      const found = read?.[0]
      if (read !== undefined && (found === undefined || Envelope.isTombstone(found))) {
        trust.expired(key, version)
        return true
      }
      const expired = found && this.#expired(found, trust.missedAt(key), version)
      // A put that failed may be there all the same, and one that was refused met something newer.
      if (expired === undefined || !(yield* this.#putExpired(key, expired, budget))) {
        return yield* this.drop(key, version, budget)
      }
      trust.expired(key, version)
      return true
    })
  }

  /**
   * What takes the place of an envelope when its key is expired. Undefined where nothing may:
   * it is newer than the change, damaged, or should have been dropped before.
   */
  #expired(envelope: Uint8Array, missedAt: number, version: number): Uint8Array | undefined {
    const found = Envelope.version(envelope)
    if (found === undefined || found > version || found <= missedAt) return undefined
    const now = this.time.now
    // A clock that was ahead gave the times: left in place, they would let the value live longer by as much.
    if ((Envelope.storedAt(envelope) ?? now) > now) return undefined
    // In front of an arbiter the value may be an older one than the arbiter's: its version
    // must stay below that of the change, so as not to pass for what the arbiter has.
    const next = this.#isInFront ? nextNumber(0, found) : version
    return Envelope.expireAt(Envelope.withVersion(envelope, next), now)
  }

  #putExpired(key: string, envelope: Uint8Array, budget: Budget): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      const now = this.time.now
      const life = lifeUntil(Envelope.staleUntil(envelope) ?? now, now)
      const put = this.#parts.stepsOf(key).run("put", this.#store.put(key, envelope, life), budget)
      return Effect.map(put, (done) => done === true)
    })
  }

  /** Once more, what could not be dropped when it should have been; says whether nothing is left. */
  get dropMissed(): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      const trust = this.#trust
      if (trust === undefined) return Effect.succeed(true)
      const drops = Array.from(trust.missed, ([key, version]) => this.drop(key, version))
      return Effect.map(Effect.all(drops), (done) => !done.includes(false))
    })
  }

  /**
   * What was in the tier before this larder was opened may be out of date, and
   * nobody has told it: that is for the time when upstream fails, until the
   * arbiter has confirmed it.
   */
  #believed(key: string, found: TierRead): TierRead {
    if (found._tag !== "Entry") return found
    const trust = this.#trust
    const { entry } = found
    // By the marks that were read last: those of later may cover it.
    if (trust === undefined) return { _tag: "Entry", entry, confirmedAt: this.#marking?.readAt }
    const { version } = entry
    if (version <= trust.missedAt(key)) return { _tag: "Nothing", version }
    if (!this.#isInFront) return found
    const confirmedAt = trust.confirmedAt(key, entry)
    if (confirmedAt !== undefined) return { ...found, confirmedAt }
    const now = this.#options.clock.currentTimeMillisUnsafe()
    const suspect = Entry.expireAt(entry, now)
    if (suspect === undefined) return { _tag: "Nothing", version }
    const asOf = this.#options.marks.surelyAfter(suspect.asOf)
    return { _tag: "Entry", entry: { ...suspect, asOf } }
  }

  #ask<A>(
    operation: (arbiter: Arbiter) => Effect.Effect<A, TierError>,
  ): Effect.Effect<A, TierError> {
    return this.arbiter === undefined
      ? Effect.die(new Error(`the tier ${this.name} does not arbitrate`))
      : operation(this.arbiter)
  }

  /**
   * Together with `effect`, the marks that other nodes have set: before the
   * first answer is believed, and now and then afterwards. No extra round trip
   * where the tier pipelines.
   */
  #withMarks<A>(effect: Effect.Effect<A, TierError>): Effect.Effect<A, TierError> {
    if (this.#marking?.isRecent !== false) return effect
    return besides(effect, this.#marking.page)
  }

  /**
   * Together with `effect`, the marks if nothing has been read yet: what is looked
   * up before any mark is known would be older than all of them. A token that was
   * won counts even so.
   */
  readonly #withFirstMarks = <A>(
    effect: Effect.Effect<A, TierError>,
  ): Effect.Effect<A, TierError> =>
    this.#marking?.isKnown !== false ? effect : besides(effect, Effect.ignore(this.#marking.page))

  #granted(key: string, acquired: Acquired): Effect.Effect<Granted> {
    switch (acquired._tag) {
      case "Newer":
        return mapAtOnce(this.#found(key, acquired.envelope), (found) => ({
          _tag: "Newer" as const,
          found,
        }))
      case "Won":
        this.time.wasGiven(acquired.token)
        return Effect.succeed({ _tag: "Won", token: acquired.token })
      case "Busy":
      case "Failed":
        return Effect.succeed({ _tag: acquired._tag, leftMillis: acquired.leftMillis })
    }
  }

  #context(key: string): Envelope.EnvelopeContext {
    const { larder, schemaVersion } = this.#options
    return { larder, key, schemaVersion, namespace: this.#namespace }
  }

  /** A value that cannot be written as bytes is no fault of the tier: its breaker does not hear of it. */
  #encoded<A>(
    key: string,
    entry: Entry.Entry<unknown>,
    use: (envelope: Uint8Array, lifeMillis: number) => Effect.Effect<A | undefined>,
    unwritable?: A,
  ): Effect.Effect<A | undefined> {
    const { clock, codec, context } = this.#options
    return Effect.suspend(() => {
      const inTierTime = Entry.shift(entry, this.time.offset("least"))
      const life = lifeUntil(entry.staleUntil, clock.currentTimeMillisUnsafe())
      const encoded = Envelope.encode(inTierTime, codec, this.#wire, this.#context(key))
      return Effect.matchEffect(Effect.provideContext(encoded, context), {
        onSuccess: (envelope) => use(envelope, life),
        onFailure: ({ message }) => {
          this.#parts.stepsOf(key).tellFailed("encode", message)
          this.#warnings.unwritable()
          return Effect.succeed(unwritable)
        },
      })
    })
  }

  #found(key: string, envelope: Uint8Array | undefined): Effect.Effect<TierRead> {
    if (envelope === undefined) return Exit.succeed(nothing)
    return this.#decoded(key, envelope)
  }

  /** Decoding that takes longer than a step may is given up: the bytes cannot be read, and the tier is well. */
  #decoded(key: string, envelope: Uint8Array): Effect.Effect<TierRead> {
    const decoded = this.#decode(key, envelope)
    if (atOnce(decoded) !== undefined) return decoded
    const { tierTimeout } = this.#options
    return Effect.map(this.#parts.stepsOf(key).within(decoded), (found) => {
      if (found !== undefined) return found
      const reason = `not decoded within ${tierTimeout} ms; raise tierTimeout if such values are meant`
      return this.#undecodable(key, reason, Envelope.version(envelope))
    })
  }

  #decode(key: string, envelope: Uint8Array): Effect.Effect<TierRead> {
    const { codec, larder, schemaVersion } = this.#options
    const decoded = Envelope.decode(envelope, codec, this.#wire, {
      larder,
      key,
      schemaVersion,
      namespace: this.#namespace,
      offset: -this.time.offset("most"),
    })
    return mapAtOnce(decoded, (decoded) => this.#believed(key, this.#foundIn(key, decoded)))
  }

  #foundEntry(entry: Entry.Entry<unknown>): TierRead {
    const { clock } = this.#options
    const believed = Entry.believedAt(entry, clock.currentTimeMillisUnsafe())
    if (believed === undefined) return { _tag: "Nothing", version: entry.version }
    // Where no arbiter numbers marks, its number is of the clock that was ahead: any mark may cover it.
    const isOfThatClock = believed !== entry && this.#isAlone
    return { _tag: "Entry", entry: isOfThatClock ? { ...believed, asOf: 0 } : believed }
  }

  #foundIn(key: string, decoded: Envelope.Decoded<unknown>): TierRead {
    switch (decoded._tag) {
      case "Entry": {
        const { entry } = decoded
        const version = usable(entry.version)
        // Kept under a version without room above, nothing newer would ever replace it.
        return this.#foundEntry(version === entry.version ? entry : { ...entry, version })
      }
      case "Tombstone":
        return { _tag: "Nothing", version: usable(decoded.version), isRemoved: true }
      case "OlderSchema":
        return { _tag: "Nothing", version: usable(decoded.version) }
      case "NewerSchema":
        return { _tag: "Foreign", version: usable(decoded.version) }
      case "Undecodable":
        return this.#undecodable(key, decoded.reason, decoded.version)
    }
  }

  #undecodable(key: string, reason: string, version = 0): TierRead {
    const { observer } = this.#options
    observer.counters.undecodable += 1
    observer.tell({ _tag: "Undecodable", key, tier: this.name, reason })
    return { _tag: "Nothing", version }
  }
}

/** A tier's operation that throws instead of giving an effect is a failed step like any other. */
const orDie =
  <Args extends ReadonlyArray<unknown>, A>(
    operation: (...args: Args) => Effect.Effect<A, TierError>,
  ) =>
  (...args: Args): Effect.Effect<A, TierError> => {
    try {
      return operation(...args)
    } catch (defect) {
      return Effect.die(defect)
    }
  }

/** The store with operations that never throw. Each is called on its object, since a tier may use `this`. */
const withoutThrows = (store: ByteStore): ByteStore => {
  const { arbiter } = store
  return {
    read: orDie((keys) => store.read(keys)),
    put: orDie((...args) => store.put(...args)),
    drop: orDie((...args) => store.drop(...args)),
    partOf: store.partOf,
    arbiter: arbiter && {
      acquire: orDie((...args) => arbiter.acquire(...args)),
      renew: orDie((...args) => arbiter.renew(...args)),
      release: orDie((...args) => arbiter.release(...args)),
      commit: orDie((...args) => arbiter.commit(...args)),
      acquireAll: arbiter.acquireAll && orDie((requests) => arbiter.acquireAll!(requests)),
      commitAll: arbiter.commitAll && orDie((commits) => arbiter.commitAll!(commits)),
      write: orDie((...args) => arbiter.write(...args)),
      mark: orDie((...args) => arbiter.mark(...args)),
      marks: orDie((since) => arbiter.marks(since)),
      messages: arbiter.messages,
    },
  }
}

const judged = ({ decision }: Arbitrated, knowsMarks: boolean): Committed =>
  knowsMarks || decision !== "Stored" ? decision : "Unjudged"

/** What the arbiter said to a change. */
type Answered = Effect.Success<ReturnType<Arbiter["write"]>>

/** What the first gives, when both have ended well. */
const besides = <A, E>(
  effect: Effect.Effect<A, E>,
  other: Effect.Effect<unknown, E>,
): Effect.Effect<A, E> =>
  Effect.map(Effect.all([effect, other], { concurrency: "unbounded" }), ([answer]) => answer)

const keyItself = (key: string): string => key
const keyOf = ({ key }: { readonly key: string }): string => key

/** What these give, in their order; at once where all of them have ended. */
const allAtOnce = <A>(
  effects: ReadonlyArray<Effect.Effect<A>>,
): Effect.Effect<ReadonlyArray<A>> => {
  const all: Array<A> = []
  for (const effect of effects) {
    const done = atOnce(effect)
    if (done !== undefined && Exit.isSuccess(done)) all.push(done.value)
  }
  return all.length === effects.length
    ? Exit.succeed(all)
    : Effect.all(effects, { concurrency: decodedAtOnce })
}

/** `arbiter`: orders the writes. `inFront`: nearer than the tier that does. `alone`: nobody does. */
export type Role = "arbiter" | "inFront" | "alone"

/** Opens a byte tier for one larder. The breaker and what it tells end with the scope. */
export const open = (
  tier: ByteTier,
  options: Options,
  role: Role,
): Effect.Effect<FartherTier, never, Scope.Scope> =>
  Effect.gen(function* () {
    const warnings = new TierWarnings(tier.name, options)
    let connected = () => {}
    const store = yield* tier.open({
      larder: options.larder,
      stepMillis: options.tierTimeout,
      notify: (notice) => {
        if (notice._tag === "Connected") connected()
        else noticed(tier.name, notice, options.observer, warnings)
      },
    })
    const breaker = yield* CircuitBreaker.make({
      tripPolicy: CircuitBreaker.consecutive(breakerFailures),
      openDuration: breakerOpenFor,
    }).pipe(Effect.provide(inSteadyTime(CircuitBreaker.layerStoreMemory())))
    yield* watchBreaker(breaker.transitions, options.observer)
    const timers = new Timers(yield* Effect.context<never>(), "lingers")
    // Whoever still waits for a step then is not left waiting.
    yield* Effect.addFinalizer(() => Effect.sync(() => timers.flush()))
    const parts = new TierParts(
      store.partOf,
      (part) => new TierSteps(tier.name, breaker, timers, options, part),
    )
    const scope = yield* Effect.scope
    const run = Effect.runForkWith(options.context)
    const fork = (effect: Effect.Effect<void>) => {
      if (scope.state._tag !== "Closed") Fiber.runIn(run(effect), scope)
    }
    const opened = new FartherTier(
      tier,
      withoutThrows(store),
      breaker,
      options,
      role,
      parts,
      warnings,
      fork,
    )
    connected = () => fork(opened.probed)
    return opened
  })

const noticed = (
  tier: string,
  notice: Exclude<Notice, { readonly _tag: "Connected" }>,
  observer: Observer,
  warnings: TierWarnings,
): void => {
  if (notice._tag === "Warning") {
    observer.tell({ _tag: "TierWarning", tier, message: notice.message })
    return
  }
  const { cause, key } = notice
  if (cause === "refused") warnings.refused(notice.bytes)
  observer.counters.evictions += 1
  observer.tell({ _tag: "Evicted", key, tier, cause })
}

/** Tells what becomes of circuits, by their keys. */
export const watchBreaker = (
  transitions: Stream.Stream<CircuitBreaker.Transition>,
  observer: Observer,
): Effect.Effect<void, never, Scope.Scope> =>
  transitions.pipe(
    Stream.runForEach(({ from, key, to }) =>
      Effect.sync(() => observer.tell({ _tag: "BreakerChanged", breaker: key, from, to })),
    ),
    Effect.forkScoped({ startImmediately: true }),
    Effect.asVoid,
  )
