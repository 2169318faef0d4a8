/** `removeWhere`: removes, one by one, the keys with a prefix, in every tier. */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import { KeysNotListed } from "../../LarderError.ts"
import { keysRemovedPerTurn } from "../runtime/limits.ts"
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

  /** Removes the keys that were not removed before. */
  add(keys: Iterable<string>): Effect.Effect<void> {
    return Effect.suspend(() => {
      const fresh: Array<string> = []
      for (const key of keys) {
        if (this.#keys.has(key)) continue
        this.#keys.add(key)
        fresh.push(key)
      }
      // A tier of this process answers at once, so nothing else would run meanwhile.
      const together = (some: ReadonlyArray<string>) =>
        Effect.andThen(
          Effect.forEach(some, (k) => this.#one(k), { concurrency: "unbounded", discard: true }),
          this.#engine.turns.next,
        )
      return Effect.forEach(Arr.chunksOf(fresh, keysRemovedPerTurn), together, { discard: true })
    })
  }

  #one(k: string): Effect.Effect<void> {
    return Effect.map(remove(this.#engine, k, k), (ack) => {
      this.#settled &&= ack.settled
      for (const tier of ack.pending) this.#pending.add(tier)
    })
  }
}

/** The keys that this node has in memory, looks up, or has set and not stored yet. */
const keysHere = (
  { flights, near, turns, writes }: Engine,
  prefix: string,
): Effect.Effect<ReadonlyArray<string>> =>
  Effect.suspend(() => {
    const all = [
      ...Array.from(near.entries(), ({ key }) => key),
      ...flights.active().map(({ k }) => k),
      ...writes.keys(),
    ]
    const found: Array<string> = []
    return Effect.as(
      turns.each(all, (key) => {
        if (key.startsWith(prefix)) found.push(key)
      }),
      found,
    )
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
    const here = Effect.flatMap(keysHere(engine, prefix), (keys) => removed.add(keys))
    const tiers = Effect.forEach(
      farther.toReversed(),
      (tier) => walk(engine, tier, prefix, removed),
      { discard: true },
    )
    return Effect.map(Effect.andThen(here, tiers), () => removed.result)
  })
