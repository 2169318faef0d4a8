/**
 * Entries in a tier that does not arbitrate: copies of the arbiter's entries, or the only ones where
 * there is no arbiter.
 */
import * as Effect from "effect/Effect"
import { nextNumber, usable } from "../../Arbitration.ts"
import type * as Entry from "../../Entry.ts"
import * as Envelope from "../../Envelope.ts"
import type { ByteStore, TierError } from "../../Tier.ts"
import { monotonicMillis } from "../runtime/monotonic.ts"
import type { SteadyClock } from "../runtime/steadyClock.ts"
import type { Budget } from "./budget.ts"
import type { TierCodec } from "./codec.ts"
import { lifeUntil } from "./codec.ts"
import type { Trust } from "./confirmedEntries.ts"
import type { TierParts } from "./parts.ts"
import type { TierTime } from "./tierClock.ts"
import type { Surroundings } from "./tierOptions.ts"
import type { TierWarnings } from "./tierWarnings.ts"
import { versionsAheadMillis } from "../runtime/limits.ts"

/** Any version: for a change without the arbiter, whose order to the tier's entry is unknown. */
const whatever = Number.MAX_SAFE_INTEGER

export class TierCopies {
  readonly #store: ByteStore
  readonly #clock: SteadyClock
  readonly #parts: TierParts
  readonly #time: TierTime
  readonly #warnings: TierWarnings
  readonly #codec: TierCodec
  /** Undefined for the arbiter, whose entries need no confirmation. */
  readonly #trust: Trust | undefined
  readonly #isInFront: boolean
  readonly #isAlone: boolean

  constructor(
    store: ByteStore,
    clock: SteadyClock,
    { parts, role, time, warnings }: Surroundings,
    codec: TierCodec,
    trust: Trust | undefined,
  ) {
    this.#store = store
    this.#clock = clock
    this.#parts = parts
    this.#time = time
    this.#warnings = warnings
    this.#codec = codec
    this.#trust = trust
    this.#isInFront = role === "inFront"
    this.#isAlone = role === "alone"
  }

  /**
   * Stores an entry over a lower version; says whether the tier has no older entry now. By default the
   * arbiter has confirmed the entry now, and gave its version.
   */
  put(
    key: string,
    entry: Entry.Entry<unknown>,
    {
      at,
      isOrdered = true,
    }: { readonly at?: number | undefined; readonly isOrdered?: boolean } = {},
  ): Effect.Effect<boolean> {
    const stored = this.#codec.encoded(key, entry, (bytes, life) =>
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
      const confirmation = { at: at ?? monotonicMillis(this.#clock), isOrdered }
      trust.beginPut(key)
      return Effect.flatMap(stored, (done) => {
        const dropped = trust.endPut(key)
        if (dropped >= entry.version) return this.drop(key, dropped)
        if (done !== undefined) trust.kept(key, entry, done, confirmation)
        return Effect.succeed(done !== undefined)
      }).pipe(Effect.onInterrupt(() => Effect.sync(() => trust.endPut(key))))
    })
  }

  /**
   * Like `put`, but over any version: without the arbiter, the entry's version is only this node's
   * guess.
   */
  replace(
    key: string,
    entry: Entry.Entry<unknown>,
    { at }: { readonly at: number },
  ): Effect.Effect<boolean> {
    return Effect.flatMap(this.drop(key, whatever), (done) =>
      done ? this.put(key, entry, { at, isOrdered: false }) : Effect.succeed(false),
    )
  }

  /** The arbiter has confirmed, `at` a moment of monotonic time, the entry that the tier has. */
  confirm(key: string, entry: Entry.Entry<unknown>, at: number): void {
    this.#trust?.kept(key, entry, false, { at, isOrdered: true })
  }

  /** Drops the entry up to a version, any by default. An entry that cannot be dropped is not returned any more. */
  drop(key: string, version: number = whatever, budget?: Budget): Effect.Effect<boolean> {
    const step = Effect.as(this.#dropUpTo(key, version), true)
    const trust = this.#trust
    return Effect.suspend(() => {
      trust?.beginDrop(key, version)
      const dropped = Effect.map(this.#parts.stepsOf(key).run("drop", step, budget), (done) => {
        // Race: a value read elsewhere before the change is being put since the drop began.
        trust?.dropping(key, version)
        if (done === true) trust?.gone(key, version)
        else trust?.miss(key, version)
        return done === true
      })
      return Effect.ensuring(
        dropped,
        Effect.sync(() => trust?.endDrop(key)),
      )
    })
  }

  /**
   * Expires the entry up to a version, any by default: it stays for stale-if-error. Says whether no
   * entry up to that version is fresh any more. Drops an entry that cannot be expired. Not for the
   * arbiter, which gets the change itself.
   */
  expire(key: string, version: number = whatever, budget: Budget): Effect.Effect<boolean> {
    const trust = this.#trust!
    return Effect.gen({ self: this }, function* () {
      // Race: a put is under way, of the value that must be expired.
      yield* trust.putsEnded(key)
      const read = yield* this.#parts.stepsOf(key).run("read", this.#store.read([key]), budget)
      const found = read?.[0]
      if (read !== undefined && (found === undefined || Envelope.isTombstone(found))) {
        trust.expired(key, version)
        return true
      }
      const expired = found && this.#expired(found, trust.missedAt(key), version)
      // A failed put may have stored its value all the same. A refused put met a newer value.
      if (expired === undefined || !(yield* this.#putExpired(key, expired, budget))) {
        return yield* this.drop(key, version, budget)
      }
      trust.expired(key, version)
      return true
    })
  }

  /**
   * Another node has changed the key: an older entry here is usable only for stale-if-error. Returns
   * whether the tier is known to have one.
   */
  outdate(key: string, version: number): boolean {
    return this.#trust?.outdate(key, version) === true
  }

  /** The entry of the key, which the arbiter has not seen, is usable only for stale-if-error until it is confirmed. */
  distrust(key: string): void {
    this.#trust?.distrust(key)
  }

  /** Messages may be missing: entries here are usable only for stale-if-error until they are confirmed. */
  suspect(): void {
    this.#trust?.suspect(monotonicMillis(this.#clock))
  }

  /** Keys whose drop has failed so far. */
  get missedDrops(): number {
    return this.#trust?.missed.size ?? 0
  }

  /** Retries failed drops; says whether all succeeded. */
  get dropMissed(): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      const trust = this.#trust
      if (trust === undefined) return Effect.succeed(true)
      const drops = Array.from(trust.missed, ([key, version]) => this.drop(key, version))
      return Effect.map(Effect.all(drops), (done) => !done.includes(false))
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
   * The version at a key if it lies in the future, else 0. A process whose clock was ahead gave it.
   * Without an arbiter it would win over all changes of this process until that time.
   */
  #futureVersion(key: string): Effect.Effect<number, TierError> {
    return Effect.map(this.#store.read([key]), ([envelope]) => {
      const version = envelope === undefined ? 0 : usable(Envelope.version(envelope))
      const latest = nextNumber(this.#clock.currentTimeMillisUnsafe() + versionsAheadMillis)
      return version > latest ? version : 0
    })
  }

  /**
   * The envelope that replaces another one when its key expires. Undefined where none may: the
   * envelope is newer than the change, damaged, or its earlier drop failed.
   */
  #expired(envelope: Uint8Array, missedAt: number, version: number): Uint8Array | undefined {
    const found = Envelope.version(envelope)
    if (found === undefined || found > version || found <= missedAt) return undefined
    const now = this.#time.now
    // Times from a clock that was ahead would let the value live longer by as much.
    if ((Envelope.storedAt(envelope) ?? now) > now) return undefined
    // In front of an arbiter, the value may be older than the arbiter's. Its version must stay below that
    // of the change, so that it does not pass for the arbiter's value.
    const next = this.#isInFront ? nextNumber(0, found) : version
    return Envelope.expireAt(Envelope.withVersion(envelope, next), now)
  }

  #putExpired(key: string, envelope: Uint8Array, budget: Budget): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      this.#codec.sends(envelope)
      const now = this.#time.now
      const life = lifeUntil(Envelope.staleUntil(envelope) ?? now, now)
      const put = this.#parts.stepsOf(key).run("put", this.#store.put(key, envelope, life), budget)
      return Effect.map(put, (done) => done === true)
    })
  }
}
