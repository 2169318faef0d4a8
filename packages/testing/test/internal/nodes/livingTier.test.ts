import { expect, it } from "@effect/vitest"
import { Tier } from "@larder/core"
import { LarderTest } from "@larder/testing"
import { Deferred, Effect, Layer } from "effect"
import { Life, Living } from "../../../src/internal/nodes/life.ts"
import { living } from "../../../src/internal/nodes/livingTier.ts"

const error = new Tier.TierError({ tier: "own", operation: "read", cause: "down" })

const answers = {
  success: Effect.succeed([]),
  failure: Effect.fail(error),
  defect: Effect.die("broken"),
}

for (const [kind, answer] of Object.entries(answers)) {
  it.effect(`an answer that is a ${kind} waits for a process that stands still`, () =>
    Effect.gen(function* () {
      const sent = yield* Deferred.make<ReadonlyArray<undefined>, Tier.TierError>()
      const store: Tier.ByteStore = {
        read: () => Deferred.await(sent),
        put: () => Effect.succeed(true),
        drop: () => Effect.void,
        arbiter: undefined,
      }
      const own: Tier.ByteTier = {
        kind: "bytes",
        name: "own",
        scope: "machine",
        abilities: { notifies: false },
        open: () => Effect.succeed(store),
      }
      const life = new Life()
      const tier = yield* Effect.provide(Tier.Tier, living(Layer.succeed(Tier.Tier, own))).pipe(
        Effect.provideService(Living, life),
      )
      if (tier.kind !== "bytes") return yield* Effect.die("not a tier of bytes")
      const { read } = yield* tier.open({ larder: "prices" })
      const reading = yield* Effect.forkChild(Effect.exit(read(["milk"])), {
        startImmediately: true,
      })
      life.pause()
      yield* Deferred.completeWith(sent, answer)
      yield* LarderTest.idle
      expect(reading.pollUnsafe()).toBe(undefined)
      life.resume()
      yield* LarderTest.idle
      expect(reading.pollUnsafe()).toBeDefined()
    }).pipe(Effect.scoped, Effect.provide(LarderTest.layer)),
  )
}
