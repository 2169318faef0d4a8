/** An outbox: its keys and values encoded, its offers and reads grouped, in the store of the application. */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ClaimedWrite, DeadWrite, NewestWrite, Outbox, OutboxWrite } from "../../Outbox.ts"
import * as OutboxRow from "../../OutboxRow.ts"
import { type Dead, OutboxStore, type Store } from "../../OutboxStore.ts"
import { deadPerPage, offersAtOnce } from "../runtime/limits.ts"
import { grouped } from "./grouped.ts"
import { checkedMerge, type Merge, merged, MergeFailed } from "./merging.ts"
import { InvalidWrite, OutboxFailed, OutboxFull } from "./outboxErrors.ts"
import { refusing, type SchemaRefused } from "./problems.ts"

interface Definition<KS extends Schema.Constraint, S extends Schema.Constraint> {
  readonly name: string
  readonly key: KS
  readonly value: S
  readonly maxPending: number
  readonly merge: Merge<S["Type"]> | undefined
}

type Services<S extends Schema.Constraint> = S["DecodingServices"] | S["EncodingServices"]

/** A write on its way to the store. */
interface Offering<A> {
  readonly key: string
  readonly version: number
  readonly value: Option.Option<A>
  /** The encoded value; undefined for a removal. */
  readonly payload: string | undefined
}

type Answer = "kept" | "full" | InvalidWrite

/** An offer, and the value of its own callers: what it contains of others may change. */
interface Merged<A> extends Offering<A>, OutboxRow.Offer {
  readonly payload: string | undefined
  readonly own: Option.Option<A>
}

/** An offer to be merged or encoded, with its key for the answer where that fails. */
interface Attempted<A> {
  readonly key: string
  readonly effect: Effect.Effect<Merged<A>, SchemaRefused | MergeFailed>
}

const codecOf = <S extends Schema.Constraint>(
  schema: S,
  part: "key" | "value",
  context: Context.Context<never>,
): Codec<S["Type"]> => {
  const codec = Schema.toCodecJson(schema)
  const encode = Schema.encodeUnknownEffect(codec)
  const decode = Schema.decodeUnknownEffect(codec)
  // In an array: JSON has no text for a bare `undefined`.
  return {
    encode: (value) =>
      Effect.map(
        Effect.provideContext(encode(value), context as Context.Context<Services<S>>),
        (json) => JSON.stringify([json]),
      ).pipe(refusing(part, "encoded")),
    decode: (text) =>
      Effect.flatMap(
        Effect.sync(() => (JSON.parse(text) as ReadonlyArray<unknown>)[0]),
        (json) => Effect.provideContext(decode(json), context as Context.Context<Services<S>>),
      ).pipe(refusing(part, "decoded")),
  }
}

type Codec<A> = {
  readonly encode: (value: A) => Effect.Effect<string, SchemaRefused>
  readonly decode: (text: string) => Effect.Effect<A, SchemaRefused>
}

/** The typed side of a store: encodes, decodes and merges. */
class Typed<K, A> {
  readonly #definition: { readonly name: string; readonly maxPending: number }
  readonly #merge: Merge<A> | undefined
  readonly #store: Store
  readonly keys: Codec<K>
  readonly #values: Codec<A>

  constructor(
    definition: {
      readonly name: string
      readonly maxPending: number
      readonly merge: Merge<A> | undefined
    },
    store: Store,
    keys: Codec<K>,
    values: Codec<A>,
  ) {
    this.#definition = definition
    this.#merge = definition.merge
    this.#store = store
    this.keys = keys
    this.#values = values
  }

  failed<B>(effect: Effect.Effect<B, unknown>): Effect.Effect<B, OutboxFailed> {
    const { name } = this.#definition
    return Effect.mapError(effect, (cause) => new OutboxFailed({ outbox: name, cause }))
  }

  refused = (error: SchemaRefused | MergeFailed): InvalidWrite => {
    const { name } = this.#definition
    const part = error._tag === "MergeFailed" ? "merge" : error.part
    return new InvalidWrite({ outbox: name, part, reason: error.message })
  }

  full(): OutboxFull {
    const { maxPending, name } = this.#definition
    return new OutboxFull({ outbox: name, limit: maxPending })
  }

  decoded(payload: string | undefined): Effect.Effect<Option.Option<A>, SchemaRefused> {
    return payload === undefined ? Effect.succeedNone : Effect.asSome(this.#values.decode(payload))
  }

  encoded(value: Option.Option<A>): Effect.Effect<string | undefined, SchemaRefused> {
    return Option.isNone(value) ? Effect.undefined : this.#values.encode(value.value)
  }

  fold(
    writes: ReadonlyArray<Option.Option<A>>,
    newest: Option.Option<A>,
  ): Effect.Effect<Option.Option<A>, MergeFailed> {
    const [oldest, ...rest] = [...writes, newest]
    return Effect.try({
      try: () => rest.reduce((older, newer) => merged(this.#merge, older, newer), oldest!),
      catch: (cause) =>
        cause instanceof MergeFailed ? cause : new MergeFailed({ problem: "failed", cause }),
    })
  }

  /** Offers writes of any keys: those of one key as one. What one of them fails on fails no other. */
  readonly offerAll = (
    writes: ReadonlyArray<Offering<A>>,
  ): Effect.Effect<ReadonlyArray<Answer>, unknown> =>
    Effect.gen({ self: this }, function* () {
      const answers = new Map<Offering<A>, Answer>()
      const groups = yield* this.#byKey(writes, answers)
      const answer = (key: string, given: Answer) => {
        for (const write of groups.get(key)?.writes ?? []) answers.set(write, given)
      }
      let left = yield* this.#settled(
        [...groups.values()].map(({ encoded }) => encoded),
        answer,
      )
      // Again only for an outbox that merges, for keys of which somebody else's write has come in between.
      while (left.length > 0) {
        const offers = left
        const given = yield* this.#store.offer(offers)
        const unmerged: Array<Attempted<A>> = []
        for (const [i, one] of given.entries()) {
          const offer = offers[i]!
          if (one._tag === "Unmerged") {
            unmerged.push({ key: offer.key, effect: this.#mergedWith(offer, one.writes) })
          } else answer(offer.key, one._tag === "Full" ? "full" : "kept")
        }
        left = yield* this.#settled(unmerged, answer)
      }
      return writes.map((write) => answers.get(write)!)
    })

  /** Those that succeed; the others are answered. */
  #settled(
    all: ReadonlyArray<Attempted<A>>,
    answer: (key: string, given: Answer) => void,
  ): Effect.Effect<ReadonlyArray<Merged<A>>> {
    const one = ({ effect, key }: Attempted<A>) =>
      Effect.match(effect, {
        onFailure: (error): ReadonlyArray<Merged<A>> => {
          answer(key, this.refused(error))
          return []
        },
        onSuccess: (offer) => [offer],
      })
    return Effect.map(Effect.forEach(all, one), (offers) => offers.flat())
  }

  #byKey(
    writes: ReadonlyArray<Offering<A>>,
    answers: Map<Offering<A>, Answer>,
  ): Effect.Effect<
    ReadonlyMap<
      string,
      { readonly writes: ReadonlyArray<Offering<A>>; readonly encoded: Attempted<A> }
    >
  > {
    return Effect.gen({ self: this }, function* () {
      const groups = new Map<string, { offer: Merged<A>; writes: Array<Offering<A>> }>()
      for (const write of writes) {
        const group = groups.get(write.key)
        if (group === undefined) {
          const offer = { ...write, own: write.value, merged: [] }
          groups.set(write.key, { offer, writes: [write] })
          continue
        }
        const other = group.offer
        const [older, newer] = other.version < write.version ? [other, write] : [write, other]
        yield* Effect.match(this.fold([older.value], newer.value), {
          onFailure: (error) => void answers.set(write, this.refused(error)),
          onSuccess: (value) => {
            group.offer = { ...newer, value, own: value, merged: [] }
            group.writes.push(write)
          },
        })
      }
      return new Map(
        Array.from(groups, ([key, { offer, writes }]) => {
          const isFolded = this.#merge !== undefined && writes.length > 1
          const effect = isFolded
            ? Effect.map(this.encoded(offer.value), (payload) => ({ ...offer, payload }))
            : Effect.succeed(offer)
          return [key, { writes, encoded: { key, effect } }] as const
        }),
      )
    })
  }

  #mergedWith(
    offer: Merged<A>,
    older: ReadonlyArray<OutboxRow.Waiting>,
  ): Effect.Effect<Merged<A>, SchemaRefused | MergeFailed> {
    return Effect.gen({ self: this }, function* () {
      // Nothing of an older write that cannot be decoded can be merged: the newer one takes its place.
      const values = yield* Effect.forEach(older, ({ payload }) =>
        Effect.match(this.decoded(payload), { onFailure: () => [], onSuccess: (value) => [value] }),
      )
      const value = yield* this.fold(values.flat(), offer.own)
      const payload = yield* this.encoded(value)
      return { ...offer, value, payload, merged: older.map(({ version }) => version) }
    })
  }

  /** What a row has to write; undefined where it has only a dead letter, or nothing. */
  readonly newestOf = <K2>(
    key: K2,
    { inFlight, waiting }: OutboxRow.Row,
  ): Effect.Effect<NewestWrite<K2, A> | undefined, unknown> =>
    Effect.gen({ self: this }, function* () {
      const newest = waiting ?? inFlight
      if (newest === undefined) return undefined
      const both = [inFlight, waiting].filter((write) => write !== undefined)
      // Without `merge` the older one is not looked at: it may be large.
      const needed = this.#merge === undefined ? [newest] : both
      const values = yield* Effect.forEach(needed, ({ payload }) => this.decoded(payload))
      const value = yield* this.fold(values.slice(0, -1), values.at(-1)!)
      const isWhole = this.#merge === undefined || values.some(Option.isNone)
      return {
        key,
        value,
        version: newest.version,
        attempts: inFlight?.attempts ?? 0,
        since: Math.min(newest.since, inFlight?.since ?? newest.since),
        inFlight: inFlight?.claim !== undefined,
        isWhole,
      }
    })

  writeOf(write: {
    readonly key: string
    readonly version: number
    readonly payload: string | undefined
    readonly attempts: number
    readonly since: number
  }): Effect.Effect<OutboxWrite<K, A>, SchemaRefused> {
    const { attempts, payload, since, version } = write
    return Effect.map(
      Effect.zip(this.keys.decode(write.key), this.decoded(payload)),
      ([key, value]) => ({ key, value, version, attempts, since }),
    )
  }
}

export const openOutbox = <KS extends Schema.Constraint, S extends Schema.Constraint>({
  key,
  maxPending,
  merge: mergeOption,
  name,
  value,
}: Definition<KS, S>): Effect.Effect<
  Outbox<KS["Type"], S["Type"]>,
  OutboxFailed,
  OutboxStore | Services<KS> | Services<S> | Scope.Scope
> =>
  Effect.gen(function* () {
    type K = KS["Type"]
    type A = S["Type"]
    const context = Context.omit(Scope.Scope)(
      yield* Effect.context<Services<KS> | Services<S>>(),
    ) as Context.Context<never>
    const merge = mergeOption && checkedMerge(mergeOption, Schema.is(value))
    const stores = yield* OutboxStore
    const opening = stores.open({ outbox: name, maxPending, merges: merge !== undefined })
    const store = yield* Effect.mapError(
      opening,
      (cause) => new OutboxFailed({ outbox: name, cause }),
    )
    const typed = new Typed<K, A>(
      { name, maxPending, merge },
      store,
      codecOf(key, "key", context),
      codecOf(value, "value", context),
    )
    const { failed, keys } = { failed: typed.failed.bind(typed), keys: typed.keys }
    const offerOne = yield* grouped(offersAtOnce, typed.offerAll)
    const rowsOf = yield* grouped<string, OutboxRow.Row, unknown>(offersAtOnce, (keys) =>
      Effect.map(store.rows([...new Set(keys)]), (rows) =>
        keys.map((key) => rows.get(key) ?? OutboxRow.empty),
      ),
    )
    const urges = new Set<(waiting: number) => void>()

    /** The claims as the store knows them. */
    const claims = new WeakMap<ClaimedWrite<K, A>, string>()
    const stored = (writes: ReadonlyArray<ClaimedWrite<K, A>>) =>
      writes.flatMap((write) => {
        const key = claims.get(write)
        return key === undefined ? [] : [{ ...write, key, payload: undefined }]
      })

    const offer: Outbox<K, A>["offer"] = ({ key, value, version }) =>
      Effect.gen(function* () {
        // Encoded first, so that a value that cannot be encoded fails its own caller alone.
        const payload = yield* Effect.mapError(typed.encoded(value), typed.refused)
        const text = yield* Effect.mapError(keys.encode(key), typed.refused)
        const answer = yield* failed(offerOne({ key: text, version, value, payload }))
        if (answer === "full") return yield* typed.full()
        if (answer !== "kept") return yield* answer
      })

    const newest = (
      asked: NonEmptyReadonlyArray<K>,
    ): Effect.Effect<ReadonlyMap<K, NewestWrite<K, A>>, OutboxFailed> =>
      failed(
        Effect.gen(function* () {
          const texts = yield* Effect.forEach(asked, keys.encode)
          const rows = yield* Effect.forEach(texts, rowsOf, { concurrency: "unbounded" })
          const found = yield* Effect.forEach(asked, (key, i) => typed.newestOf(key, rows[i]!))
          return new Map(
            found.flatMap((write) => (write === undefined ? [] : [[write.key, write] as const])),
          )
        }),
      )

    /** Of two dead letters what can be kept: both where they can be merged, else one that can be decoded. */
    const bothDead = (older: string | undefined, newer: string | undefined) =>
      Effect.gen(function* () {
        const newest = yield* Effect.option(typed.decoded(newer))
        if (Option.isNone(newest)) return older
        const both = Effect.flatMap(typed.decoded(older), (value) =>
          Effect.flatMap(typed.fold([value], newest.value), (folded) => typed.encoded(folded)),
        )
        return yield* Effect.catch(both, () => Effect.succeed(newer))
      })

    const bury = (
      claim: Parameters<Store["bury"]>[0],
      why: string,
    ): Effect.Effect<boolean, unknown> =>
      Effect.gen(function* () {
        const { dead, inFlight } =
          (yield* store.rows([claim.key])).get(claim.key) ?? OutboxRow.empty
        if (merge === undefined || dead === undefined || inFlight === undefined) {
          return yield* store.bury(claim, { why })
        }
        const payload = yield* bothDead(dead.payload, inFlight.payload)
        const isDead = yield* store.bury(claim, { why, merged: { payload, version: dead.version } })
        return isDead
      })

    const undecoded = (
      write: Parameters<Store["bury"]>[0],
      { message: why }: SchemaRefused,
      burying: NonNullable<Parameters<Outbox<K, A>["claim"]>[1]>,
    ) =>
      Effect.gen(function* () {
        const key = yield* Effect.option(keys.decode(write.key))
        const { attempts, version } = write
        yield* burying({ key, version, attempts, why }, failed(bury(write, why)))
        return []
      })

    const claim: Outbox<K, A>["claim"] = (request, burying = (_, effect) => effect) =>
      failed(
        Effect.gen(function* () {
          const { nextMillis, writes } = yield* store.claim(request)
          const decoded = yield* Effect.forEach(writes, (write) =>
            Effect.matchEffect(typed.writeOf(write), {
              onFailure: (error): Effect.Effect<ReadonlyArray<ClaimedWrite<K, A>>, unknown> =>
                undecoded(write, error, burying),
              onSuccess: (own) => {
                const claimed = { ...own, claim: write.claim }
                claims.set(claimed, write.key)
                return Effect.succeed([claimed])
              },
            }),
          )
          return { writes: decoded.flat(), nextMillis }
        }),
      )

    const deadOf = (one: Dead): Effect.Effect<ReadonlyArray<DeadWrite<K, A>>> =>
      Effect.gen(function* () {
        const { attempts, since, version, why } = one
        const key = yield* Effect.option(keys.decode(one.key))
        if (Option.isNone(key)) return []
        const value = yield* Effect.option(typed.decoded(one.payload))
        const letter = { key: key.value, version, attempts, since, why }
        return [
          Option.isSome(value)
            ? { ...letter, value: value.value, isDecoded: true }
            : { ...letter, value: Option.none(), isDecoded: false },
        ]
      })
    const pageAfter = (after: string | undefined) =>
      Effect.gen(function* () {
        const page = yield* store.dead(after, deadPerPage)
        const writes = (yield* Effect.forEach(page, deadOf)).flat()
        const last = page.length < deadPerPage ? undefined : page.at(-1)?.key
        return [writes, Option.fromUndefinedOr(last)] as const
      })

    return {
      name,
      durability: stores.durability,
      hears: stores.hears,
      merge,
      offer,
      newest,
      depth: failed(store.depth),
      dead: Stream.paginate(undefined as string | undefined, (after) => failed(pageAfter(after))),
      revive: (key) => failed(Effect.flatMap(keys.encode(key), store.revive)),
      discard: (key) => failed(Effect.flatMap(keys.encode(key), store.discard)),
      claim,
      renew: (writes, lockMillis) => failed(store.renew(stored(writes), lockMillis)),
      done: (writes) => failed(store.done(stored(writes))),
      retry: (writes, delayMillis) => failed(store.retry(stored(writes), delayMillis)),
      bury: (write, why) =>
        failed(
          Effect.suspend(() => {
            const [one] = stored([write])
            return one === undefined ? Effect.succeed(false) : bury(one, why)
          }),
        ),
      urge: Effect.sync(() => {
        for (const wake of urges) wake(Infinity)
      }),
      listen: (wake) =>
        Effect.andThen(
          store.listen(wake),
          Effect.asVoid(
            Effect.acquireRelease(
              Effect.sync(() => urges.add(wake)),
              () => Effect.sync(() => urges.delete(wake)),
            ),
          ),
        ),
    }
  })
