/**
 * A tier behind memory, as one larder sees it: entries instead of bytes, with times of the node's
 * clock. Each step has a timeout and a circuit breaker, so that a failing tier costs little. A step
 * that fails returns `undefined`.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as Entry from "../../Entry.ts"
import type { Stored } from "../../Arbitration.ts"
import type { Arbiter, ByteStore, ByteTier, KeysPage, Limits } from "../../Tier.ts"
import { monotonicMillis } from "../runtime/monotonic.ts"
import { atOnce } from "../runtime/syncExit.ts"
import { ArbiterWrites } from "./arbiterWrites.ts"
import { byPart } from "./batches.ts"
import { Budget } from "./budget.ts"
import { TierCodec } from "./codec.ts"
import { Trust } from "./confirmedEntries.ts"
import { TierCopies } from "./copies.ts"
import { type KeyRead, KeyReads } from "./keyReads.ts"
import { TierLeases } from "./leases.ts"
import type { TierParts } from "./parts.ts"
import { type Bounds, TierTime } from "./tierClock.ts"
import { TierMarks, besides } from "./tierMarks.ts"
import type { Ask, Options, Role } from "./tierOptions.ts"
import { type TierRead, allAtOnce } from "./tierRead.ts"
import type { TierWarnings } from "./tierWarnings.ts"
import { valuesDecodedAtOnce } from "../runtime/limits.ts"

/** A tier with its store for one larder, and its limits. */
interface Known {
  readonly tier: ByteTier
  readonly store: ByteStore
  readonly limits: Limits
  readonly warnings: TierWarnings
}

export class FartherTier {
  readonly name: string
  readonly scope: ByteTier["scope"]
  /** Whether nodes on other machines do not have this tier. */
  readonly isLocal: boolean
  /** Whether the tier orders the writes of all nodes. */
  readonly isArbiter: boolean
  readonly limits: Limits
  readonly breaker: CircuitBreaker.CircuitBreaker
  readonly time: TierTime
  readonly marks: TierMarks
  readonly leases: TierLeases
  readonly writes: ArbiterWrites
  readonly copies: TierCopies
  /** Undefined in a tier that does not arbitrate or does not notify. */
  readonly listen: Arbiter["listen"]
  /** Whether {@link versions} can be read: not in a tier that does not arbitrate. */
  readonly hasVersions: boolean
  /** Whether the tier can list {@link keys}. */
  readonly listsKeys: boolean
  readonly #store: ByteStore
  readonly #ask: Ask
  readonly #options: Options
  readonly #parts: TierParts
  readonly #codec: TierCodec
  /** Undefined for the arbiter, whose entries need no confirmation. */
  readonly #trust: Trust | undefined
  /** Whether another node may have changed a key whose entry this tier still has. */
  readonly #mustConfirm: boolean
  readonly #reads: KeyReads

  constructor(
    { limits, store, tier, warnings }: Known,
    breaker: CircuitBreaker.CircuitBreaker,
    options: Options,
    role: Role,
    parts: TierParts,
    fork: (effect: Effect.Effect<void>) => void,
  ) {
    const { name, scope } = tier
    const isAlone = role === "alone"
    const { clock } = options
    const arbiter = role === "arbiter" ? store.arbiter : undefined
    const time = new TierTime(clock, scope)
    const ask: Ask = (operation) =>
      arbiter === undefined
        ? Effect.die(new Error(`the tier ${name} does not arbitrate`))
        : operation(arbiter)
    const surroundings = { role, arbiter, ask, limits, parts, time, warnings }
    this.name = name
    this.scope = scope
    this.isLocal = scope !== "shared"
    this.isArbiter = arbiter !== undefined
    this.limits = limits
    this.breaker = breaker
    this.time = time
    this.listen = tier.abilities.notifies ? arbiter?.listen : undefined
    this.hasVersions = arbiter?.versions !== undefined
    this.listsKeys = store.keys !== undefined
    this.#store = store
    this.#ask = ask
    this.#options = options
    this.#parts = parts
    this.#trust = role === "arbiter" ? undefined : new Trust()
    this.#mustConfirm =
      role === "inFront" || (isAlone && this.isLocal && options.hasBackplane === true)
    this.marks = new TierMarks(options, surroundings, fork)
    this.#codec = new TierCodec(tier, options, surroundings, (key, found) =>
      this.#believed(key, found),
    )
    this.leases = new TierLeases(clock, surroundings, this.marks, this.#codec)
    this.writes = new ArbiterWrites(options, surroundings, this.marks, this.#codec)
    this.copies = new TierCopies(store, clock, surroundings, this.#codec, this.#trust)
    this.#reads = new KeyReads({
      read: (keys) => this.marks.beside(store.read(keys)),
      decode: (key, envelope) => this.#codec.found(key, envelope),
      turns: options.turns,
    })
  }

  /** From now on, tries every step despite an open breaker. */
  insist(): void {
    this.#parts.insist()
  }

  /** The names of the breaker's circuits: one for the tier, and one for each server (part). */
  get circuits(): ReadonlyArray<string> {
    return this.#parts.current().map(({ circuit }) => circuit)
  }

  /** Whether the tier is one server. */
  get isOne(): boolean {
    return this.#parts.isOne
  }

  /** Whether the server of the key has answered since it last failed. */
  answers(key: string): boolean {
    return this.#parts.steps(this.#parts.of(key)).isWell
  }

  /** The part of the tier that a key is on; `undefined` asks for the marks. */
  partOf(key: string | undefined): string {
    return this.#parts.of(key)
  }

  /**
   * Reads these keys, in one trip to each part of the tier that has some of them; `undefined` for
   * keys whose part did not answer.
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

  /** As `read` for one key, the common case: answers without a waiting fiber. */
  readOne(read: KeyRead): void {
    const { budget, key } = read
    const part = this.#parts.of(key)
    const steps = this.#parts.steps(part)
    if (!this.marks.needsApart(part)) return this.#reads.add(steps, read)
    const apart = Effect.map(this.#readPart(part, [key], budget), ([found]) => found)
    read.follows(steps.follow(apart, (found) => read.answer(found)))
  }

  /** Decodes an envelope of the tier that did not come with a read. */
  decoded(key: string, envelope: Uint8Array): Effect.Effect<TierRead> {
    return this.#codec.found(key, envelope)
  }

  /**
   * The versions at these keys, all on one part, and the marks up to now unless they are recent.
   * `undefined` where the arbiter does not answer, or marks that may have been missed are still unread:
   * without them, the versions confirm nothing.
   */
  versions(
    part: string,
    keys: ReadonlyArray<string>,
    budget: Budget,
  ): Effect.Effect<ReadonlyArray<Stored> | undefined> {
    return Effect.suspend(() => {
      const steps = this.#parts.steps(part)
      const asked = this.#ask((arbiter) => arbiter.versions!(keys))
      const misses = this.marks.reading?.misses ?? 0
      const answered = this.marks.needsApart(part)
        ? besides(
            steps.run("versions", asked, budget),
            this.marks.elsewhere(new Budget(budget.whole, budget.left)),
          )
        : steps.run("versions", this.marks.beside(asked), budget)
      return Effect.map(answered, (stored) =>
        this.marks.reading?.isReadAfter(misses) === true ? stored : undefined,
      )
    })
  }

  /** A page of the keys with a prefix; `undefined` where the tier does not answer. */
  keys(prefix: string, after: string | undefined): Effect.Effect<KeysPage | undefined> {
    return Effect.suspend(() => {
      const { keys } = this.#store
      if (keys === undefined) return Effect.die(new Error(`the tier ${this.name} lists no keys`))
      return this.#parts.stepsOf(undefined).run("keys", keys(prefix, after))
    })
  }

  /** Probes each recently failed part despite its open breaker; an answer closes the breaker. */
  get probed(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const marking = this.marks.reading
      const marked = this.#parts.stepsOf(undefined)
      const probes = this.#parts.current().map((steps) => {
        if (marking !== undefined && steps === marked) return steps.probe(marking.page)
        const key = steps.lastKey
        return key === undefined ? Effect.void : steps.probe(this.#store.read([key]))
      })
      return Effect.all(probes, { concurrency: "unbounded", discard: true })
    })
  }

  /** The version of a change that the arbiter does not have: its place in the order, and above `known`. */
  placeAbove(known: number, moment: number, bound: keyof Bounds): number {
    return Math.max(known + 1, this.time.placeOf(moment, bound) ?? 0)
  }

  /**
   * Marks on another part are read by a step of that part, in parallel with the read. While that part
   * is away, entries are judged by the marks known so far. A node that has never read marks cannot
   * judge, and returns no answer.
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
      const answered = this.marks.needsApart(part)
        ? besides(
            steps.run("read", read, budget),
            this.marks.elsewhere(new Budget(budget.whole, budget.left)),
          )
        : steps.run("read", this.marks.beside(read), budget)
      return Effect.flatMap(answered, (envelopes) =>
        envelopes === undefined || !this.marks.isKnown
          ? Exit.succeed(keys.map(() => undefined))
          : this.#foundAt(keys, envelopes, budget),
      )
    })
  }

  /** Decodes the answer. Not within the tier's timeout: slow decoding is no slowness of the tier. */
  #foundAt(
    keys: ReadonlyArray<string>,
    envelopes: ReadonlyArray<Uint8Array | undefined>,
    budget: Budget,
  ): Effect.Effect<ReadonlyArray<TierRead | undefined>> {
    const all: Array<Effect.Effect<TierRead>> = []
    const { clock, turns } = this.#options
    const decoding = turns.each(keys, (key, i) => {
      all.push(this.#codec.found(key, envelopes[i]))
    })
    return Effect.flatMap(decoding, (): Effect.Effect<ReadonlyArray<TierRead | undefined>> => {
      const found = atOnce(allAtOnce(all))
      if (found !== undefined) return found
      const until = monotonicMillis(clock) + budget.left
      // Skip entries whose turn comes after the caller's budget has passed; the tier has answered for them.
      const inTime = (one: Effect.Effect<TierRead>) =>
        Effect.suspend((): Effect.Effect<TierRead | undefined> =>
          monotonicMillis(clock) < until ? one : Exit.succeed(undefined),
        )
      return Effect.forEach(all, inTime, { concurrency: valuesDecodedAtOnce })
    })
  }

  /**
   * An entry from before this larder was opened may be out of date. Until the arbiter has confirmed
   * it, it is stale-if-error only. So is, where a backplane tells of the changes of other nodes, an
   * entry of a file of this node alone.
   */
  #believed(key: string, found: TierRead): TierRead {
    if (found._tag !== "Entry") return found
    const trust = this.#trust
    const { entry } = found
    // Confirmed as of the last read of marks: later marks may cover the entry.
    if (trust === undefined)
      return { _tag: "Entry", entry, confirmedAt: this.marks.reading?.readAt }
    const { version } = entry
    if (version <= trust.missedAt(key)) return { _tag: "Nothing", version }
    if (!this.#mustConfirm) return found
    const confirmedAt = trust.confirmedAt(key, entry)
    if (confirmedAt !== undefined) return { ...found, confirmedAt }
    const unconfirmed = trust.isConfirmable(key, entry) ? entry : undefined
    const now = this.#options.clock.currentTimeMillisUnsafe()
    const suspect = Entry.expireAt(entry, now)
    if (suspect === undefined) return { _tag: "Nothing", version, unconfirmed }
    const asOf = this.#options.marks.surelyAfter(suspect.asOf)
    return { _tag: "Entry", entry: { ...suspect, asOf }, unconfirmed }
  }
}

const keyItself = (key: string): string => key
