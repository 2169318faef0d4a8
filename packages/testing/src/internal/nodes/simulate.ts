/** Makes the nodes of one application, over a tier that they share. */
import { Backplane, InvalidOptions, MemoryTier, Tier, TierStack } from "@larder/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Chaos from "../../Chaos.ts"
import type { Node, NodeInfo, NodesOptions } from "../../LarderTest.ts"
import { Timeline } from "../../Timeline.ts"
import { virtualClock } from "../time/advance.ts"
import { VirtualClock } from "../time/virtualClock.ts"
import { fileTier } from "./fileTier.ts"
import { living } from "./livingTier.ts"
import { freeName } from "./names.ts"
import { SimulatedNode } from "./node.ts"
import { checkNodes, layerFor } from "./options.ts"
import { checkSharing } from "./sharing.ts"

/** Dies with `WronglyShared` where the nodes do not share what they should. */
export const simulate = <A, E, R, E2, R2>(
  count: number,
  app: Layer.Layer<A, E, R> | ((node: NodeInfo) => Layer.Layer<A, E, R>),
  options: NodesOptions<E2, R2>,
): Effect.Effect<
  ReadonlyArray<SimulatedNode<A, E | E2>>,
  E | E2,
  Exclude<R | R2, TierStack.TierStack | Scope.Scope> | Timeline | Chaos.Chaos | Scope.Scope
> =>
  Effect.gen(function* () {
    checkNodes(count, options)
    const clock = yield* virtualClock("LarderTest.nodes")
    const timeline = yield* Timeline
    const scope = yield* Effect.scope
    const memoMap = yield* Layer.makeMemoMap
    const shared: Layer.Layer<Tier.Tier, E2, R2 | Chaos.Chaos> = options.shared ?? Chaos.layerShared
    // For stacks of the application's own: what is built here, all nodes find in their maps.
    yield* Layer.buildWithMemoMap(MemoryTier.layerShared, memoMap, scope)
    yield* Layer.buildWithMemoMap(Backplane.layerMemory, memoMap, scope)
    const tier = Context.get(yield* Layer.buildWithMemoMap(shared, memoMap, scope), Tier.Tier)
    const all: Array<SimulatedNode<A, E | E2>> = []
    const names = yield* Effect.replicateEffect(freeName(timeline), count)
    // No two clusters have the same nodes.
    const cluster = names.join()
    for (const [index, name] of names.entries()) {
      const node: NodeInfo = { name, index }
      const stack = yield* stackOf(node, tier, options)
      const own = layerFor("app", app, node)
      all.push(
        yield* SimulatedNode.make({
          name,
          clock: new VirtualClock(clock.base, clock.sleeps, options.skews?.[index] ?? 0),
          layer: Layer.provideMerge(own, stack),
          memoMap,
          note: (text) => timeline.note(name, text),
          killed: () => timeline.killed(name),
          instrument: timeline.instrument(name, cluster),
        }),
      )
    }
    yield* checkSharing(all.flatMap(({ larders }) => larders))
    return all
  }) as never

/** The stack of one node, over the tier that all nodes share. */
const stackOf = <E, R>(
  node: NodeInfo,
  shared: Tier.Tier["Service"],
  { file = false, memory }: NodesOptions<E, R>,
) =>
  Effect.gen(function* () {
    const near = MemoryTier.layer(memory)
    const far = living(Chaos.aroundTier(Layer.succeed(Tier.Tier, shared)))
    if (file === false) return TierStack.layer(near, far)
    if (file !== true) return TierStack.layer(near, living(layerFor("file", file, node)), far)
    // Built here, so that the file outlives the node's process.
    const simulated = Layer.succeedContext(yield* Layer.build(Layer.fresh(fileTier)))
    return TierStack.layer(near, living(simulated), far)
  })

/** What a test sees of a node. */
export const nodeOf = <A, E>({
  clock,
  kill,
  name,
  pause,
  restart,
  resume,
  run,
}: SimulatedNode<A, E>): Node<A, E> => ({
  name,
  run,
  restart,
  kill,
  pause,
  resume,
  setSkew: (millis) =>
    Effect.sync(() => {
      if (!Number.isFinite(millis)) {
        const must = "be a finite number of milliseconds"
        throw InvalidOptions.of({ module: "LarderTest", field: "setSkew", must, got: millis })
      }
      clock.skew = millis
    }),
  setRate: (rate) =>
    Effect.sync(() => {
      if (!(Number.isFinite(rate) && rate > 0)) {
        const must = "be a number above 0, such as 1.001"
        throw InvalidOptions.of({ module: "LarderTest", field: "setRate", must, got: rate })
      }
      clock.setRate(rate)
    }),
})
