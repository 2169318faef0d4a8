/**
 * Encodes entries as bytes with times of the tier's clock, and decodes bytes to entries with times of
 * the node's clock. A value that cannot be encoded or decoded does not count for the tier's breaker.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { usable } from "../../Arbitration.ts"
import * as Entry from "../../Entry.ts"
import * as Envelope from "../../Envelope.ts"
import type { ByteTier } from "../../Tier.ts"
import * as Wire from "../../Wire.ts"
import { type TierCounts, countUndecodable, countsOfTier } from "../observe/counters.ts"
import { atOnce } from "../runtime/syncExit.ts"
import type { TierParts } from "./parts.ts"
import type { TierTime } from "./tierClock.ts"
import type { Options, Surroundings } from "./tierOptions.ts"
import { type TierRead, nothing } from "./tierRead.ts"
import type { TierWarnings } from "./tierWarnings.ts"

/** The lifetime in ms, as a store takes it. */
export const lifeUntil = (staleUntil: number, now: number): number =>
  staleUntil === Entry.forever ? Infinity : staleUntil - now

export class TierCodec {
  readonly #tier: {
    readonly name: string
    readonly wire: Wire.Wire
    readonly namespace: string | undefined
  }
  readonly #options: Options
  readonly #time: TierTime
  readonly #parts: TierParts
  readonly #warnings: TierWarnings
  /** There is no arbiter: each process numbers its changes by its clock. */
  readonly #isAlone: boolean
  readonly #believed: (key: string, found: TierRead) => TierRead
  readonly #counts: TierCounts

  constructor(
    { name, namespace, wire = Wire.json }: ByteTier,
    options: Options,
    { parts, role, time, warnings }: Surroundings,
    believed: (key: string, found: TierRead) => TierRead,
  ) {
    this.#tier = { name, wire, namespace }
    this.#options = options
    this.#time = time
    this.#parts = parts
    this.#warnings = warnings
    this.#isAlone = role === "alone"
    this.#believed = believed
    this.#counts = countsOfTier(options.observer.counters, name)
  }

  /** Encodes an entry and passes it to `use`. A failure does not count for the tier's breaker. */
  encoded<A>(
    key: string,
    entry: Entry.Entry<unknown>,
    use: (envelope: Uint8Array, lifeMillis: number) => Effect.Effect<A | undefined>,
    unwritable?: A,
  ): Effect.Effect<A | undefined> {
    const { clock, codec, context } = this.#options
    return Effect.suspend(() => {
      const inTierTime = Entry.shift(entry, this.#time.offset("least"))
      const life = lifeUntil(entry.staleUntil, clock.currentTimeMillisUnsafe())
      const encoded = Envelope.encode(inTierTime, codec, this.#tier.wire, this.#context(key))
      return Effect.matchEffect(Effect.provideContext(encoded, context), {
        onSuccess: (envelope) => {
          this.sends(envelope)
          return use(envelope, life)
        },
        onFailure: ({ message }) => {
          this.#parts.stepsOf(key).tellFailed("encode", message)
          this.#warnings.unwritable()
          return Effect.succeed(unwritable)
        },
      })
    })
  }

  found(key: string, envelope: Uint8Array | undefined): Effect.Effect<TierRead> {
    if (envelope === undefined) return Exit.succeed(nothing)
    this.#counts.bytesRead += envelope.length
    return this.#decoded(key, envelope)
  }

  /** Counts an envelope that goes to the tier. */
  sends(envelope: Uint8Array): void {
    this.#counts.bytesWritten += envelope.length
  }

  /** Decodes within `tierTimeout`. A slower entry is undecodable; this does not count for the tier's breaker. */
  #decoded(key: string, envelope: Uint8Array): Effect.Effect<TierRead> {
    const decoded = this.#decode(key, envelope)
    if (atOnce(decoded) !== undefined) return decoded
    const { tierTimeout } = this.#options
    return Effect.map(this.#parts.stepsOf(key).within(decoded), (found) => {
      if (found !== undefined) return found
      const reason = `decoding took longer than tierTimeout, ${tierTimeout} ms; raise it if such values are intended`
      return this.#undecodable(key, reason, Envelope.version(envelope))
    })
  }

  #decode(key: string, envelope: Uint8Array): Effect.Effect<TierRead> {
    const { codec, larder, schemaVersion } = this.#options
    const decoded = Envelope.decode(envelope, codec, this.#tier.wire, {
      larder,
      key,
      schemaVersion,
      namespace: this.#tier.namespace,
      offset: -this.#time.offset("most"),
    })
    const done = atOnce(decoded)
    return done !== undefined && Exit.isSuccess(done)
      ? Exit.succeed(this.#foundAs(key, done.value))
      : this.#foundLater(key, decoded)
  }

  /** A method of its own, so that an entry that is decoded at once makes no closure. */
  #foundLater(
    key: string,
    decoded: Effect.Effect<Envelope.Decoded<unknown>>,
  ): Effect.Effect<TierRead> {
    return Effect.map(decoded, (decoded) => this.#foundAs(key, decoded))
  }

  #foundAs(key: string, decoded: Envelope.Decoded<unknown>): TierRead {
    return this.#believed(key, this.#foundIn(key, decoded))
  }

  #foundEntry(entry: Entry.Entry<unknown>): TierRead {
    const { clock } = this.#options
    const believed = Entry.believedAt(entry, clock.currentTimeMillisUnsafe())
    if (believed === undefined) return { _tag: "Nothing", version: entry.version }
    // Without an arbiter, `asOf` comes from the clock that was ahead: any mark may cover the entry.
    const isOfThatClock = believed !== entry && this.#isAlone
    return { _tag: "Entry", entry: isOfThatClock ? { ...believed, asOf: 0 } : believed }
  }

  #foundIn(key: string, decoded: Envelope.Decoded<unknown>): TierRead {
    switch (decoded._tag) {
      case "Entry": {
        const { entry } = decoded
        const version = usable(entry.version)
        // Lower a version at the maximum: otherwise no newer entry could ever replace this one.
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
    countUndecodable(observer.counters, this.#tier.name)
    observer.tell({ _tag: "Undecodable", key, tier: this.#tier.name, reason })
    return { _tag: "Nothing", version, isUndecodable: true }
  }

  #context(key: string): Envelope.EnvelopeContext {
    const { larder, schemaVersion } = this.#options
    return { larder, key, schemaVersion, namespace: this.#tier.namespace }
  }
}
