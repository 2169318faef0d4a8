/** A byte tier with faults. */
import { Tier } from "@larder/core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { type Call, type Damage, type Wrapping, wrapTier } from "../wrapTier.ts"
import type { Applied, TierFaults } from "./faults.ts"
import type { ChaosHandle } from "./handle.ts"
import { hasMessageFaults } from "./network.ts"

type Group = Exclude<TierFaults["operations"], "all" | undefined>

const groups: { readonly [Name in Call["name"]]: Group } = {
  read: "reads",
  marks: "reads",
  versions: "reads",
  keys: "reads",
  put: "writes",
  drop: "writes",
  write: "writes",
  mark: "writes",
  commit: "writes",
  commitAll: "writes",
  acquire: "leases",
  acquireAll: "leases",
  renew: "leases",
  release: "leases",
}

interface Way {
  readonly chaos: ChaosHandle
  /** The place in the handle. */
  readonly place: string
  readonly tier: Tier.ByteTier
}

type Faults = Applied["tier"]

const isHit = ({ keys: only, operations = "all" }: Faults, { keys, name }: Call) =>
  (operations === "all" || operations === groups[name]) &&
  (only === undefined || (keys?.some((key) => only.includes(key)) ?? false))

/** The damage of one operation. Draws for each key that can be hit, in the order of the keys. */
const damageOf = (chaos: ChaosHandle, { corrupt, keys, partial }: Faults): Damage => {
  const happens = (share: number | undefined, key: string) =>
    (keys === undefined || keys.includes(key)) && chaos.happens(share)
  return {
    isLeftOut: (key) => happens(partial, key),
    envelope: (key, bytes) => (happens(corrupt, key) ? chaos.damaged(bytes) : bytes),
  }
}

/** One operation, with the faults that are on when it begins. */
const around =
  ({ chaos, place, tier }: Way): Wrapping["around"] =>
  (operation) =>
    Effect.suspend(() => {
      const { damaged, name, run } = operation
      const faults = chaos.of("tier", place)
      if (!isHit(faults, operation)) return run
      const fail = (text: string) =>
        Effect.fail(
          new Tier.TierError({ tier: tier.name, operation: name, cause: new Error(text) }),
        )
      const slowly = <B, E>(then: Effect.Effect<B, E>) =>
        Effect.andThen(chaos.pause(faults.latency), then)
      if (chaos.happens(faults.hang)) return Effect.never
      if (chaos.happens(faults.failure)) return slowly(fail("Chaos: failure"))
      const damage = damageOf(chaos, faults)
      const done = Effect.map(run, (answer) => damaged(answer, damage))
      return slowly(
        chaos.happens(faults.lostAnswer)
          ? Effect.andThen(done, fail("Chaos: the answer is lost"))
          : done,
      )
    })

/** A subscription whose messages have faults; reports of gaps come from this side and have none. */
const listening =
  ({ chaos, place, tier }: Way): Wrapping["listen"] =>
  (listen, receive) =>
    Effect.gen(function* () {
      if (hasMessageFaults(tier)) {
        // A function of its own: one receiver may subscribe on several nodes.
        const own = (message: Tier.Message) => receive(message)
        chaos.subscribes(own, place)
        return yield* listen(own)
      }
      const scope = yield* Effect.scope
      const run = Effect.runForkWith(yield* Effect.context<never>())
      yield* listen((message) => {
        if (message._tag === "Gap") return receive(message)
        for (const millis of chaos.delays(chaos.of("messages", place))) {
          const arrive = Effect.sync(() => receive(message))
          if (millis > 0) Fiber.runIn(run(Effect.delay(arrive, Duration.millis(millis))), scope)
          else receive(message)
        }
      })
    })

export const tierWith = (way: Way): Tier.ByteTier =>
  wrapTier(way.tier, () => ({ around: around(way), listen: listening(way) }))
