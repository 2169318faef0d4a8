/** Opens the tiers of one larder: memory, the tiers behind it, and the arbiter among them. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ByteTier, ObjectStore, ObjectTier } from "../../Tier.ts"
import { type Options, type Role } from "./tierOptions.ts"
import { fartherTier, openStore } from "./openTier.ts"
import type { FartherTier } from "./backingTier.ts"
import { MemoryStore } from "../memory/memoryStore.ts"
import { settleMillis } from "../runtime/limits.ts"
import { nestedObjects } from "./objectsAsBytes.ts"
import { TierWarnings } from "./tierWarnings.ts"

export interface Stack {
  /** Memory; stores nothing where the stack begins with a byte tier. */
  readonly near: ObjectStore
  readonly hasMemory: boolean
  readonly nearName: string
  /** How long memory keeps a confirmed entry fresh at most, ms. */
  readonly maxFreshFor: number
  /** Nearest first. */
  readonly farther: ReadonlyArray<FartherTier>
  /** The farthest tier, if it orders writes. */
  readonly arbiter: FartherTier | undefined
  /** The limits of the arbiter, ms; 0 without one. */
  readonly leaseMillis: number
  readonly leaseWaitMillis: number
  /** How late the tiers may get a delayed value, ms. */
  readonly settleMillis: number
}

/** The memory of a stack that begins with a byte tier. */
const keepsNothing = (): ObjectStore =>
  new MemoryStore({
    maxEntries: 0,
    maxWeight: Infinity,
    eviction: "lru",
    seed: 0,
    weigh: () => 1,
    maxFreshFor: Infinity,
    onEvicted: () => {},
  })

const roleOf = (hasArbiter: boolean, isFarthest: boolean): Role => {
  if (!hasArbiter) return "alone"
  return isFarthest ? "arbiter" : "inFront"
}

export const open = (
  tiers: ReadonlyArray<ObjectTier | ByteTier>,
  options: Options,
): Effect.Effect<Stack, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { larder, observer } = options
    const first = tiers[0]
    const hasMemory = first?.kind === "objects"
    const nearName = first?.name ?? "memory"
    const warnings = new TierWarnings(nearName, options)
    const onEvicted: Parameters<ObjectTier["open"]>[0]["onEvicted"] = (key, cause, wasHit) => {
      observer.counters.evictionsByCause[cause] += 1
      if (wasHit === false) observer.counters.evictionsUnread += 1
      observer.tell({ _tag: "Evicted", key, tier: nearName, cause })
      if (cause === "refused") warnings.tooHeavy()
    }
    const near = hasMemory ? yield* first.open({ larder, onEvicted }) : keepsNothing()
    const maxFreshFor = Math.min(near.maxFreshFor, options.maxFreshFor ?? Infinity)
    const behindMemory: Options = { ...options, maxFreshFor }
    // All stores first: the role of each tier depends on whether the farthest has an arbiter.
    const stores = yield* Effect.forEach(hasMemory ? tiers.slice(1) : tiers, (tier) =>
      openStore(tier.kind === "bytes" ? tier : nestedObjects(tier), behindMemory),
    )
    const hasArbiter = stores.at(-1)?.store.arbiter !== undefined
    const farther = yield* Effect.forEach(stores, (opened, i) =>
      fartherTier(opened, behindMemory, roleOf(hasArbiter, i === stores.length - 1)),
    )
    const last = farther.at(-1)
    const arbiter = last?.isArbiter === true ? last : undefined
    if (arbiter !== undefined) {
      for (const tier of farther) if (tier !== arbiter) tier.marks.standInFrontOf(arbiter.marks)
    }
    return {
      near,
      hasMemory,
      nearName: hasMemory ? first.name : "none",
      maxFreshFor,
      farther,
      arbiter,
      leaseMillis: arbiter?.limits.leaseTime ?? 0,
      leaseWaitMillis: arbiter?.limits.leaseWait ?? 0,
      settleMillis: arbiter?.limits.settleTime ?? settleMillis,
    }
  })
