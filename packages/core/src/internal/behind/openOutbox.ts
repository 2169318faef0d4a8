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
import { type Merge, merged } from "./merging.ts"
import { OutboxFailed, OutboxFull } from "./outboxErrors.ts"

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

type Answer = "kept" | "full"

/** An offer, and the value of its own callers: what it contains of others may change. */
interface Merged<A> extends Offering<A>, OutboxRow.Offer {
  readonly payload: string | undefined
  readonly own: Option.Option<A>
}

const codecOf = <S extends Schema.Constraint>(schema: S, context: Context.Context<never>) => {
  const codec = Schema.toCodecJson(schema)
  const encode = Schema.encodeUnknownEffect(codec)
  const decode = Schema.decodeUnknownEffect(codec)
  // In an array: JSON has no text for a bare `undefined`.
  return {
    encode: (value: S["Type"]): Effect.Effect<string, Schema.SchemaError> =>
      Effect.map(
        Effect.provideContext(encode(value), context as Context.Context<Services<S>>),
        (json) => JSON.stringify([json]),
      ),
    decode: (text: string): Effect.Effect<S["Type"], unknown> =>
      Effect.flatMap(
        Effect.try(() => (JSON.parse(text) as ReadonlyArray<unknown>)[0]),
        (json) => Effect.provideContext(decode(json), context as Context.Context<Services<S>>),
      ),
  }
}

type Codec<A> = {
  readonly encode: (value: A) => Effect.Effect<string, unknown>
  readonly decode: (text: string) => Effect.Effect<A, unknown>
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

  full(): OutboxFull {
    const { maxPending, name } = this.#definition
    return new OutboxFull({ outbox: name, limit: maxPending })
  }

  decoded(payload: string | undefined): Effect.Effect<Option.Option<A>, unknown> {
    return payload === undefined ? Effect.succeedNone : Effect.asSome(this.#values.decode(payload))
  }

  encoded(value: Option.Option<A>): Effect.Effect<string | undefined, unknown> {
    return Option.isNone(value) ? Effect.undefined : this.#values.encode(value.value)
  }

  fold(writes: ReadonlyArray<Option.Option<A>>, newest: Option.Option<A>): Option.Option<A> {
    const [oldest, ...rest] = [...writes, newest]
    return rest.reduce((older, newer) => merged(this.#merge, older, newer), oldest!)
  }

  /** Offers writes of any keys: those of one key as one. */
  readonly offerAll = (
    writes: ReadonlyArray<Offering<A>>,
  ): Effect.Effect<ReadonlyArray<Answer>, unknown> =>
    Effect.gen({ self: this }, function* () {
      const answers = new Map<string, Answer>()
      let left = yield* this.#byKey(writes)
      // Again only for an outbox that merges, for keys of which somebody else's write has come in between.
      while (left.length > 0) {
        const offers = left
        const given = yield* this.#store.offer(offers)
        const unmerged: Array<Effect.Effect<Merged<A>, unknown>> = []
        for (const [i, answer] of given.entries()) {
          const offer = offers[i]!
          if (answer._tag === "Unmerged") unmerged.push(this.#mergedWith(offer, answer.writes))
          else answers.set(offer.key, answer._tag === "Full" ? "full" : "kept")
        }
        left = yield* Effect.all(unmerged)
      }
      return writes.map(({ key }) => answers.get(key)!)
    })

  #byKey(writes: ReadonlyArray<Offering<A>>): Effect.Effect<ReadonlyArray<Merged<A>>, unknown> {
    const byKey = new Map<string, Merged<A>>()
    const folded = new Set<string>()
    for (const write of writes) {
      const other = byKey.get(write.key)
      if (other === undefined) {
        byKey.set(write.key, { ...write, own: write.value, merged: [] })
        continue
      }
      const [older, newer] = other.version < write.version ? [other, write] : [write, other]
      const value = merged(this.#merge, older.value, newer.value)
      byKey.set(write.key, { ...newer, value, own: value, merged: [] })
      if (this.#merge !== undefined) folded.add(write.key)
    }
    if (folded.size === 0) return Effect.succeed([...byKey.values()])
    return Effect.forEach(byKey.values(), (one) =>
      folded.has(one.key)
        ? Effect.map(this.encoded(one.value), (payload) => ({ ...one, payload }))
        : Effect.succeed(one),
    )
  }

  #mergedWith(
    offer: Merged<A>,
    older: ReadonlyArray<OutboxRow.Waiting>,
  ): Effect.Effect<Merged<A>, unknown> {
    return Effect.gen({ self: this }, function* () {
      const values = yield* Effect.forEach(older, ({ payload }) => this.decoded(payload))
      const value = this.fold(values, offer.own)
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
      const value = this.fold(values.slice(0, -1), values.at(-1)!)
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
  }): Effect.Effect<OutboxWrite<K, A>, unknown> {
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
  merge,
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
    const stores = yield* OutboxStore
    const opening = stores.open({ outbox: name, maxPending, merges: merge !== undefined })
    const store = yield* Effect.mapError(
      opening,
      (cause) => new OutboxFailed({ outbox: name, cause }),
    )
    const typed = new Typed<K, A>(
      { name, maxPending, merge },
      store,
      codecOf(key, context),
      codecOf(value, context),
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
        const payload = yield* failed(typed.encoded(value))
        const text = yield* failed(keys.encode(key))
        const answer = yield* failed(offerOne({ key: text, version, value, payload }))
        if (answer === "full") return yield* typed.full()
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
        const older = yield* typed.decoded(dead.payload)
        const newer = yield* typed.decoded(inFlight.payload)
        const payload = yield* typed.encoded(merged(merge, older, newer))
        const isDead = yield* store.bury(claim, { why, merged: { payload, version: dead.version } })
        return isDead
      })

    const claim: Outbox<K, A>["claim"] = (request) =>
      failed(
        Effect.gen(function* () {
          const { nextMillis, writes } = yield* store.claim(request)
          const decoded = yield* Effect.forEach(writes, (write) =>
            typed.writeOf(write).pipe(
              Effect.map((own): ReadonlyArray<ClaimedWrite<K, A>> => {
                const claimed = { ...own, claim: write.claim }
                claims.set(claimed, write.key)
                return [claimed]
              }),
              Effect.catchCause((cause) =>
                Effect.as(
                  Effect.andThen(
                    Effect.logError(`${name}: a write of ${write.key} cannot be decoded`, cause),
                    bury(write, `it cannot be decoded: ${String(cause)}`),
                  ),
                  [],
                ),
              ),
            ),
          )
          return { writes: decoded.flat(), nextMillis }
        }),
      )

    const deadOf = (one: Dead): Effect.Effect<DeadWrite<K, A>, unknown> =>
      Effect.map(typed.writeOf(one), (write) => ({ ...write, why: one.why }))
    const pageAfter = (after: string | undefined) =>
      Effect.gen(function* () {
        const page = yield* store.dead(after, deadPerPage)
        const writes = yield* Effect.forEach(page, deadOf)
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
