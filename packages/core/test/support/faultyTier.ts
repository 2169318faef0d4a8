/** Tiers with faults that tests switch on: `MemoryTier.layerShared`, or the same without its arbiter, as a file. */
import { MemoryTier, Tier } from "@larder/core"
import { Effect, Layer } from "effect"

/**
 * - `slow`, `slowAfter`: within `tierTimeout`, before or after the operation takes effect.
 * - `tooSlow`, `hang`, `fail`: the operation has no effect.
 * - `failAfter`, `hangAfter`: it takes effect, and the caller gets no answer.
 * - `late`: a commit takes effect after it was given up.
 * - `garbage`: what is read is damaged.
 */
export const faults = [
  "none",
  "slow",
  "slowAfter",
  "tooSlow",
  "hang",
  "fail",
  "failAfter",
  "hangAfter",
  "late",
  "garbage",
] as const

export type Fault = (typeof faults)[number]

/** The operations that a fault affects. */
export const reaches = ["all", "reads", "writes", "leases"] as const

export type Reach = (typeof reaches)[number]

const reachOf: Readonly<Record<string, Reach>> = {
  read: "reads",
  marks: "reads",
  versions: "reads",
  keys: "reads",
  acquire: "leases",
  renew: "leases",
  release: "leases",
}

const slowMillis = 50
const tooSlowMillis = 150

export class Faults {
  current: Fault = "none"
  reach: Reach = "all"
  /** Keys whose writes fail whatever else is on, as where a part of a server is away. */
  readonly lostKeys = new Set<string>()
  /** Messages do not arrive: for tests of what a node knows without them. Read when a larder opens. */
  isDeaf = false
  /** Writes begun so far. */
  written = 0
  /** The operations asked for, in their order. */
  readonly trips: Array<string> = []

  turn(fault: Fault, reach: Reach): void {
    this.current = fault
    this.reach = reach
  }

  readonly around = <A>(
    operation: string,
    effect: Effect.Effect<A, Tier.TierError>,
    damage: (answer: A) => A = (answer) => answer,
  ): Effect.Effect<A, Tier.TierError> =>
    Effect.suspend(() => {
      this.trips.push(operation)
      const reach = reachOf[operation] ?? "writes"
      if (reach !== "reads") this.written += 1
      const isHit = this.reach === "all" || this.reach === reach
      return isHit ? this.#hit(operation, effect, damage) : effect
    })

  readonly lostOr = <A>(
    key: string,
    effect: Effect.Effect<A, Tier.TierError>,
  ): Effect.Effect<A, Tier.TierError> =>
    Effect.suspend(() =>
      this.lostKeys.has(key)
        ? Effect.fail(
            new Tier.TierError({ tier: "shared", operation: "write", cause: new Error("lost") }),
          )
        : effect,
    )

  #hit<A>(
    operation: string,
    effect: Effect.Effect<A, Tier.TierError>,
    damage: (answer: A) => A,
  ): Effect.Effect<A, Tier.TierError> {
    const broken = Effect.fail(
      new Tier.TierError({ tier: "shared", operation, cause: new Error("broken") }),
    )
    switch (this.current) {
      case "none":
        return effect
      case "slow":
        return Effect.delay(effect, slowMillis)
      case "slowAfter":
        return Effect.tap(effect, Effect.sleep(slowMillis))
      case "tooSlow":
        return Effect.delay(effect, tooSlowMillis)
      case "hang":
        return Effect.never
      case "fail":
        return broken
      case "failAfter":
        return Effect.andThen(effect, broken)
      case "hangAfter":
        return Effect.andThen(effect, Effect.never)
      case "late":
        return operation === "commit"
          ? Effect.uninterruptible(Effect.delay(effect, tooSlowMillis))
          : effect
      case "garbage":
        return Effect.map(effect, damage)
    }
  }
}

const damaged = (bytes: Uint8Array | undefined): Uint8Array | undefined => {
  if (bytes === undefined) return undefined
  const copy = new Uint8Array(bytes)
  const last = copy.length - 1
  copy[last] = copy[last]! ^ 1
  return copy
}

const faultyArbiter = (
  arbiter: Tier.Arbiter,
  { around, isDeaf, lostOr }: Faults,
): Tier.Arbiter => ({
  acquire: (key, request) =>
    around("acquire", arbiter.acquire(key, request), (acquired) =>
      acquired._tag === "Newer" ? { ...acquired, envelope: damaged(acquired.envelope)! } : acquired,
    ),
  renew: (...args) => around("renew", arbiter.renew(...args)),
  release: (...args) => around("release", arbiter.release(...args)),
  commit: (...args) => around("commit", lostOr(args[0], arbiter.commit(...args))),
  write: (...args) => around("write", lostOr(args[0], arbiter.write(...args))),
  mark: (...args) => around("mark", arbiter.mark(...args)),
  marks: (since) => around("marks", arbiter.marks(since)),
  versions: arbiter.versions && ((keys) => around("versions", arbiter.versions!(keys))),
  listen: isDeaf ? () => Effect.void : arbiter.listen,
})

const faultyStore = (store: Tier.ByteStore, faults: Faults): Tier.ByteStore => ({
  read: (keys) => faults.around("read", store.read(keys), (found) => found.map(damaged)),
  put: (...args) => faults.around("put", store.put(...args)),
  drop: (...args) => faults.around("drop", store.drop(...args)),
  keys: store.keys && ((...args) => faults.around("keys", store.keys!(...args))),
  arbiter: store.arbiter && faultyArbiter(store.arbiter, faults),
})

/** The differences from the shared tier; `arbitrates: false` leaves only the operations on bytes. */
interface Given extends Partial<Pick<Tier.ByteTier, "name" | "scope" | "limits">> {
  readonly arbitrates?: false
}

/** A shared tier of its own, whose faults are those of `faults`; it stays when a larder closes. */
export const layer = (
  faults: Faults,
  { arbitrates, ...given }: Given = {},
  over: Layer.Layer<Tier.Tier> = Layer.fresh(MemoryTier.layerShared),
): Layer.Layer<Tier.Tier> =>
  Layer.effect(
    Tier.Tier,
    Effect.map(Tier.Tier, (tier) => {
      if (tier.kind !== "bytes") throw new Error("the shared tier keeps bytes")
      return {
        ...tier,
        ...given,
        open: (options: { readonly larder: string }) =>
          Effect.map(tier.open(options), (store) =>
            faultyStore(arbitrates === false ? { ...store, arbiter: undefined } : store, faults),
          ),
      }
    }),
  ).pipe(Layer.provide(over))

/** The way of one node to a tier that several nodes share. */
export const wayToShared = (
  faults: Faults,
  shared: Layer.Layer<Tier.Tier>,
): Layer.Layer<Tier.Tier> => layer(faults, {}, shared)

/** A tier of this machine that only stores bytes. */
export const fileLayer = (faults: Faults): Layer.Layer<Tier.Tier> =>
  layer(faults, { name: "file", scope: "machine", arbitrates: false })
