/** Byte tiers around byte tiers: each wraps all operations of the one inside in the same way. */
import type { Tier } from "@larder/core"
import * as Effect from "effect/Effect"

/** What can happen to an answer on its way back. */
export interface Damage {
  /** Whether an operation on many keys gives no answer for this one. */
  readonly isLeftOut: (key: string) => boolean
  /** The envelope of a key as it arrives. */
  readonly envelope: (key: string, bytes: Uint8Array) => Uint8Array
}

/** A call of an operation. */
export interface Call {
  readonly name: Exclude<keyof Tier.ByteStore | keyof Tier.Arbiter, "arbiter" | "partOf" | "listen">
  /** Undefined for operations on marks. */
  readonly keys: ReadonlyArray<string> | undefined
}

/** A call that can run. */
export interface Operation<A> extends Call {
  readonly run: Effect.Effect<A, Tier.TierError>
  readonly damaged: (answer: A, damage: Damage) => A
}

type Receive = (message: Tier.Message) => void
type Listening = ReturnType<NonNullable<Tier.Arbiter["listen"]>>

export interface Wrapping {
  readonly around: <A>(operation: Operation<A>) => Effect.Effect<A, Tier.TierError>
  readonly listen: (listen: (receive: Receive) => Listening, receive: Receive) => Listening
}

const intact = <A>(answer: A): A => answer

const keyOf = ({ key }: { readonly key: string }): string => key

/** The answers of an operation on many keys, some of them left out. */
const sparse =
  (keys: ReadonlyArray<string>) =>
  <A>(answers: ReadonlyArray<A>, { isLeftOut }: Damage): ReadonlyArray<A | undefined> =>
    answers.map((answer, index) => (isLeftOut(keys[index] ?? "") ? undefined : answer))

const newer = (key: string, acquired: Tier.Acquired, { envelope }: Damage): Tier.Acquired =>
  acquired._tag === "Newer" ? { ...acquired, envelope: envelope(key, acquired.envelope) } : acquired

/** Methods are called as methods: the arbiter may be an instance of a class. */
const arbiterWith = (arbiter: Tier.Arbiter, { around, listen }: Wrapping): Tier.Arbiter => {
  const acquireAll = arbiter.acquireAll?.bind(arbiter)
  const commitAll = arbiter.commitAll?.bind(arbiter)
  const versions = arbiter.versions?.bind(arbiter)
  const inner = arbiter.listen?.bind(arbiter)
  const one = <A>(name: Call["name"], key: string, run: Operation<A>["run"]) =>
    around({ name, keys: [key], run, damaged: intact })
  return {
    acquire: (key, request) =>
      around({
        name: "acquire",
        keys: [key],
        run: arbiter.acquire(key, request),
        damaged: (acquired, damage) => newer(key, acquired, damage),
      }),
    renew: (key, ...rest) => one("renew", key, arbiter.renew(key, ...rest)),
    release: (key, ...rest) => one("release", key, arbiter.release(key, ...rest)),
    commit: (key, ...rest) => one("commit", key, arbiter.commit(key, ...rest)),
    write: (key, ...rest) => one("write", key, arbiter.write(key, ...rest)),
    acquireAll:
      acquireAll &&
      ((requests) => {
        const keys = requests.map(keyOf)
        const damaged: Operation<ReadonlyArray<Tier.Acquired | undefined>>["damaged"] = (
          all,
          damage,
        ) =>
          sparse(keys)(all, damage).map(
            (acquired, index) => acquired && newer(keys[index] ?? "", acquired, damage),
          )
        return around({ name: "acquireAll", keys, run: acquireAll(requests), damaged })
      }),
    commitAll:
      commitAll &&
      ((commits) => {
        const keys = commits.map(keyOf)
        return around({ name: "commitAll", keys, run: commitAll(commits), damaged: sparse(keys) })
      }),
    mark: (...args) =>
      around({ name: "mark", keys: undefined, run: arbiter.mark(...args), damaged: intact }),
    marks: (since) =>
      around({ name: "marks", keys: undefined, run: arbiter.marks(since), damaged: intact }),
    versions:
      versions &&
      ((keys) => around({ name: "versions", keys, run: versions(keys), damaged: intact })),
    listen: inner && ((receive) => listen(inner, receive)),
  }
}

const storeWith = (store: Tier.ByteStore, wrapping: Wrapping): Tier.ByteStore => {
  const { around } = wrapping
  const keysOf = store.keys?.bind(store)
  return {
    read: (keys) =>
      around({
        name: "read",
        keys,
        run: store.read(keys),
        damaged: (found, damage) =>
          sparse(keys)(found, damage).map(
            (bytes, index) => bytes && damage.envelope(keys[index] ?? "", bytes),
          ),
      }),
    put: (key, ...rest) =>
      around({ name: "put", keys: [key], run: store.put(key, ...rest), damaged: intact }),
    drop: (key, ...rest) =>
      around({ name: "drop", keys: [key], run: store.drop(key, ...rest), damaged: intact }),
    keys:
      keysOf &&
      ((prefix, after) =>
        around({ name: "keys", keys: undefined, run: keysOf(prefix, after), damaged: intact })),
    partOf: store.partOf?.bind(store),
    arbiter: store.arbiter && arbiterWith(store.arbiter, wrapping),
  }
}

/** Of each tier that is wrapped: the one inside all wrappings. */
const inside = new WeakMap<object, Tier.ByteTier>()

/** The tier without what is wrapped around it. */
export const unwrapped = <T extends Tier.ByteTier | Tier.ObjectTier>(tier: T): T | Tier.ByteTier =>
  inside.get(tier) ?? tier

/** Another way to the same tier: its operations are wrapped, by larder. */
export const wrapTier = (
  tier: Tier.ByteTier,
  wrappingOf: (larder: string) => Wrapping,
): Tier.ByteTier => {
  const { abilities, kind, limits, name, namespace, scope, wire } = tier
  const wrapped: Tier.ByteTier = {
    kind,
    name,
    scope,
    abilities,
    wire,
    namespace,
    limits,
    open: (options) =>
      Effect.map(tier.open(options), (store) => storeWith(store, wrappingOf(options.larder))),
  }
  inside.set(wrapped, unwrapped(tier))
  return wrapped
}
