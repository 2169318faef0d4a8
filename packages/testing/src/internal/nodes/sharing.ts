/** Whether nodes share what they should, and nothing else. */
import { Envelope, type Larder, type Tier } from "@larder/core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import * as Schema from "effect/Schema"
import { probeMillis } from "../limits.ts"
import { unwrapped } from "../wrapTier.ts"

/**
 * The defect of nodes that share nothing, or share their memory.
 *
 * **Example**
 *
 * ```ts
 * import { LarderTest } from "@larder/testing"
 * import * as assert from "node:assert"
 *
 * const error = new LarderTest.WronglyShared({ message: "the nodes A and B share nothing" })
 * assert.strictEqual(error._tag, "WronglyShared")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class WronglyShared extends Schema.TaggedError<WronglyShared>()("WronglyShared", {
  message: Schema.String,
}) {}

type Tiers = ReadonlyArray<Tier.ObjectTier | Tier.ByteTier>

/** A larder of one node, and the tiers that it was made with. */
export interface NodeLarder {
  readonly node: string
  readonly name: string
  readonly tiers: Tiers
  readonly larder: Pick<Larder.Larder<never, never>, "stats">
}

/** Dies with {@link WronglyShared} unless all larders of one name share a tier or a backplane, and no memory. */
export const checkSharing = (all: ReadonlyArray<NodeLarder>): Effect.Effect<void> =>
  Effect.forEach(new Set(all.map(({ name }) => name)), (name) => {
    const [first, ...others] = all.filter((one) => one.name === name)
    if (first === undefined) return Effect.void
    return Effect.forEach(others, (other) => checkTwo(first, other), { discard: true })
  }).pipe(Effect.asVoid)

const wrong = (one: NodeLarder, other: NodeLarder, text: string): Effect.Effect<never> =>
  Effect.die(
    new WronglyShared({
      message: `LarderTest.nodes: the larders ${one.name} of the nodes ${one.node} and ${other.node} ${text}`,
    }),
  )

const checkTwo = (one: NodeLarder, other: NodeLarder): Effect.Effect<void> =>
  Effect.gen(function* () {
    const memory = one.tiers.find((tier) => tier.kind === "objects" && other.tiers.includes(tier))
    if (memory !== undefined) {
      return yield* wrong(
        one,
        other,
        `have one and the same tier ${memory.name}, so that they are one node. Let the layer of the application need its TierStack, which LarderTest.nodes provides, or pass a function of the node that makes a layer for each`,
      )
    }
    const [mine, theirs] = [sharedOf(one), sharedOf(other)]
    if (mine === undefined || theirs === undefined) {
      const { backplane } = yield* one.larder.stats
      if (backplane !== "none") return
      return yield* wrong(
        one,
        other,
        "have no shared tier and no backplane, so that they share nothing. End their TierStack with MemoryTier.layerShared, or let the layer of the application need its TierStack, which LarderTest.nodes provides",
      )
    }
    if (mine === theirs || (yield* isSame(mine, theirs))) return
    return yield* wrong(
      one,
      other,
      `do not share the tier ${mine.name}: what ${one.node} stored, ${other.node} did not find. Give all nodes one and the same layer value, such as MemoryTier.layerShared. Layer.fresh, a second call of layerSharedWith() and another prefix each make a tier of its own`,
    )
  })

/** The farthest tier, if it is one of bytes that every node reaches. */
const sharedOf = ({ tiers }: NodeLarder): Tier.ByteTier | undefined => {
  const tier = tiers.at(-1)
  return tier?.kind === "bytes" && tier.scope === "shared" ? unwrapped(tier) : undefined
}

/** Dies with {@link WronglyShared} unless the shared tier of each larder is this one. */
export const checkServer = (
  all: ReadonlyArray<NodeLarder>,
  server: Tier.ByteTier,
): Effect.Effect<void> => {
  const other = all.find((one) => sharedOf(one) !== unwrapped(server))
  if (other === undefined) return Effect.void
  return Effect.die(
    new WronglyShared({
      message: `Cluster.make: the larder ${other.name} of the node ${other.node} does not use the server of the cluster, since the layer of the application brings a TierStack along. Let the layer need its TierStack, which Cluster.make provides`,
    }),
  )
}

/** The name of a larder that no test has. */
const probe = "LarderTest.nodes"

/** Whether one tier finds what the other stored: a tier of a server is another object on each node. */
const isSame = (one: Tier.ByteTier, other: Tier.ByteTier): Effect.Effect<boolean> =>
  Effect.scoped(
    Effect.gen(function* () {
      const written = yield* one.open({ larder: probe })
      const read = yield* other.open({ larder: probe })
      yield* written.put(probe, Envelope.tombstone(1), probeMillis)
      const [found] = yield* read.read([probe])
      return found !== undefined
    }),
  ).pipe(
    Effect.timeoutOption(Duration.millis(probeMillis)),
    Effect.map(Option.getOrElse(() => false)),
    Effect.catchTag("TierError", () => Effect.succeed(false)),
    // In real time: a server answers in no other, and nobody moves the clock meanwhile.
    TestClock.withLive,
  )
