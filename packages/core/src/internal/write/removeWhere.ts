/** `removeWhere`: removes, one by one, the keys with a prefix, in every tier. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { KeysNotListed } from "../../LarderError.ts"
import type { MemoryEntry } from "../../Tier.ts"
import { keysRemovedAtOnce, keysSoughtPerTurn } from "../runtime/limits.ts"
import type { Engine } from "../state/engine.ts"
import { show, invalid } from "../state/key.ts"
import { checkNames, invalidOption } from "../state/settings.ts"
import type { NamesOf } from "../runtime/optionNames.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import type { Invalidated } from "./invalidate.ts"
import { remove } from "./removeExpire.ts"

/**
 * Options of `removeWhere`.
 *
 * @category options
 * @since 0.1.0
 */
export interface RemoveWhereOptions {
  /** The beginning of the keys, as strings; not empty. */
  readonly prefix: string
}

const names: NamesOf<RemoveWhereOptions> = { prefix: true }

/** The beginning of the keys as tiers store them. Throws `InvalidOptions`. */
export const prefixOf = ({ settings }: Engine, options: RemoveWhereOptions): string => {
  checkNames(settings.name, options, names)
  const { prefix }: { readonly prefix: unknown } = options
  if (typeof prefix !== "string" || prefix === "") {
    const must = "be a non-empty string; use `clear` for all keys"
    throw invalidOption(settings.name, "prefix", must, prefix)
  }
  const problem = invalid(prefix)
  if (problem !== undefined) {
    throw invalidOption(settings.name, "prefix", `begin a valid key, but ${problem}`, show(prefix))
  }
  return settings.prefixOf(prefix)
}

/** What has been removed so far. */
class Removed {
  readonly #engine: Engine
  readonly #keys = new Set<string>()
  readonly #pending = new Set<string>()
  #settled = true

  constructor(engine: Engine) {
    this.#engine = engine
  }

  get result(): Invalidated {
    return { keys: this.#keys.size, settled: this.#settled, pending: [...this.#pending] }
  }

  /** Removes the keys that were not removed before, a few at a time. */
  add(keys: ReadonlyArray<string>, from = 0): Effect.Effect<void> {
    return Effect.suspend(() => {
      const fresh: Array<string> = []
      let at = from
      while (at < keys.length && fresh.length < keysRemovedAtOnce) {
        const key = keys[at]!
        at += 1
        if (this.#keys.has(key)) continue
        this.#keys.add(key)
        fresh.push(key)
      }
      if (fresh.length === 0) return Effect.void
      const { next } = this.#engine.turns
      return Effect.andThen(
        this.#together(fresh),
        at < keys.length ? Effect.andThen(next, this.add(keys, at)) : next,
      )
    })
  }

  /**
   * Begins each removal without waiting for the one before: a server has all of them in one trip. A tier of
   * this process answers while the removal begins, so they are begun over several turns where they take long.
   */
  #together(keys: ReadonlyArray<string>): Effect.Effect<void> {
    return Effect.flatMap(Effect.context<never>(), (context) => {
      const fork = Effect.runForkWith(context)
      const begun: Array<Fiber.Fiber<void>> = []
      return Effect.andThen(
        this.#engine.turns.each(keys, (k) => void begun.push(fork(this.#one(k)))),
        Effect.suspend(() => Effect.forEach(begun, Fiber.join, { discard: true })),
      )
    })
  }

  #one(k: string): Effect.Effect<void> {
    return Effect.map(remove(this.#engine, k, k), (ack) => {
      this.#settled &&= ack.settled
      for (const tier of ack.pending) this.#pending.add(tier)
    })
  }
}

/** The next keys with the prefix in memory; undefined after the last one. */
const someInMemory = (
  entries: Iterator<MemoryEntry>,
  prefix: string,
): ReadonlyArray<string> | undefined => {
  const keys: Array<string> = []
  for (let sought = 0; sought < keysSoughtPerTurn; sought += 1) {
    const next = entries.next()
    if (next.done === true) return sought === 0 ? undefined : keys
    if (next.value.key.startsWith(prefix)) keys.push(next.value.key)
  }
  return keys
}

/**
 * Removes the keys that this node looks up, has set and not stored yet, or has in memory. Race: a value from
 * before is on its way to memory, and arrives where the walk has been. So what is on its way comes first,
 * and is taken down in one step.
 */
const removeHere = (
  { flights, near, turns, writes }: Engine,
  prefix: string,
  removed: Removed,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const onTheWay = [...writes.keys()]
    for (const { k } of flights.active()) onTheWay.push(k)
    const entries = near.entries()[Symbol.iterator]()
    const following: Effect.Effect<void> = Effect.suspend(() => {
      const keys = someInMemory(entries, prefix)
      if (keys === undefined) return Effect.void
      return Effect.andThen(Effect.andThen(removed.add(keys), turns.next), following)
    })
    const begins = onTheWay.filter((key) => key.startsWith(prefix))
    return Effect.andThen(removed.add(begins), following)
  })

const walk = (
  engine: Engine,
  tier: FartherTier,
  prefix: string,
  removed: Removed,
  after?: string,
): Effect.Effect<void, KeysNotListed> =>
  Effect.flatMap(tier.keys(prefix, after), (page) => {
    if (page === undefined) {
      const { keys } = removed.result
      const larder = engine.settings.name
      return Effect.fail(new KeysNotListed({ larder, tier: tier.name, reason: "failed", keys }))
    }
    const { next } = page
    const done = removed.add(page.keys)
    if (next === undefined) return done
    return Effect.andThen(
      Effect.andThen(done, engine.turns.next),
      walk(engine, tier, prefix, removed, next),
    )
  })

/**
 * Each key is removed as by `remove`: with a version of the arbiter, a tombstone, and a message to other
 * nodes. So no lookup that began before can bring it back, on whatever node it runs. The shared tier is
 * listed first: other nodes may still copy what it has to their nearer tiers.
 */
export const removeWhere = (
  engine: Engine,
  prefix: string,
): Effect.Effect<Invalidated, KeysNotListed> =>
  Effect.suspend(() => {
    const { farther } = engine.stack
    const unable = farther.find(({ listsKeys }) => !listsKeys)
    if (unable !== undefined) {
      const { name } = engine.settings
      return Effect.fail(
        new KeysNotListed({ larder: name, tier: unable.name, reason: "unsupported", keys: 0 }),
      )
    }
    const removed = new Removed(engine)
    const here = removeHere(engine, prefix, removed)
    if (farther.length === 0) return Effect.map(here, () => removed.result)
    const tiers = Effect.forEach(
      farther.toReversed(),
      (tier) => walk(engine, tier, prefix, removed),
      { discard: true },
    )
    // Values move from farther tiers to nearer ones alone. Race: a reader copies one to memory, and the tier
    // evicts it before the walk gets there. So memory is walked last as well.
    return Effect.map(Effect.andThen(Effect.andThen(here, tiers), here), () => removed.result)
  })
