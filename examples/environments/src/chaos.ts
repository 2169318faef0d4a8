/** A tier that misbehaves at random: some operations are late, fail or never end. */
import { type Tier as CoreTier, Tier } from "@larder/core"
import { Effect, Layer, Random } from "effect"

/**
 * One operation in `oneIn` fails, one never ends, one is 20 ms late; drawn from Effect's `Random`.
 */
export const layer = (
  tier: Layer.Layer<CoreTier.Tier>,
  oneIn: number,
): Layer.Layer<CoreTier.Tier> =>
  Layer.effect(
    Tier.Tier,
    Effect.gen(function* () {
      const inner = yield* Tier.Tier
      const random = yield* Random.Random
      if (inner.kind !== "bytes") return inner
      const upset =
        (operation: string) =>
        <A>(effect: Effect.Effect<A, CoreTier.TierError>): Effect.Effect<A, CoreTier.TierError> =>
          Effect.suspend(() => {
            const draw = Math.floor(random.nextDoubleUnsafe() * oneIn)
            if (draw === 0) {
              const cause = new Error("chaos")
              return Effect.fail(new Tier.TierError({ tier: inner.name, operation, cause }))
            }
            if (draw === 1) return Effect.never
            return draw === 2 ? Effect.delay(effect, 20) : effect
          })
      return {
        ...inner,
        name: "chaos",
        open: (options) =>
          Effect.map(inner.open(options), (store) => ({ ...store, ...storeOf(store, upset) })),
      } satisfies CoreTier.ByteTier
    }),
  ).pipe(Layer.provide(tier))

type Upset = (
  operation: string,
) => <A>(effect: Effect.Effect<A, CoreTier.TierError>) => Effect.Effect<A, CoreTier.TierError>

const storeOf = (store: CoreTier.ByteStore, upset: Upset): CoreTier.ByteStore => ({
  read: (keys) => upset("read")(store.read(keys)),
  put: (...args) => upset("put")(store.put(...args)),
  drop: (...args) => upset("drop")(store.drop(...args)),
  arbiter: store.arbiter && arbiterOf(store.arbiter, upset),
})

const arbiterOf = (arbiter: CoreTier.Arbiter, upset: Upset): CoreTier.Arbiter => ({
  acquire: (...args) => upset("acquire")(arbiter.acquire(...args)),
  renew: (...args) => upset("renew")(arbiter.renew(...args)),
  release: (...args) => upset("release")(arbiter.release(...args)),
  commit: (...args) => upset("commit")(arbiter.commit(...args)),
  write: (...args) => upset("write")(arbiter.write(...args)),
  mark: (...args) => upset("mark")(arbiter.mark(...args)),
  marks: (since) => upset("marks")(arbiter.marks(since)),
  listen: arbiter.listen,
})
