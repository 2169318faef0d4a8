/** Whatever happens at the same moment on two nodes: in the end each timeline is what the source says. */
import { Chaos, LarderTest } from "@larder/testing"
import { expect, it } from "@effect/vitest"
import { Effect, Layer, Random } from "effect"
import * as Larders from "../src/larders.ts"
import * as Network from "../src/network.ts"
import * as Timeline from "../src/timeline.ts"
import { followers, nodes, on } from "./world.ts"

const authors = ["ada", "bob", "cho"]
const readers = ["one", "two", "three"]
const pushLimit = 2
const steps = 24

/** The ids that the source gives, without any cache. */
const truth = Effect.fnUntraced(function* (user: string) {
  const { followedBy, newestOf } = yield* Network.Network
  const followed = yield* followedBy(user)
  const lists = yield* Effect.forEach([user, ...followed.map(({ author }) => author)], newestOf)
  return Timeline.merged(lists)
})

const napping = Effect.flatMap(Random.nextIntBetween(0, 30), (millis) => Effect.sleep(millis))

const round = Effect.gen(function* () {
  const both = yield* nodes
  const [a, b] = both
  // All at once: who is third pulls.
  for (const author of authors) yield* followers(a, author, yield* Random.shuffle(readers))
  yield* Chaos.setTier("A/shared", { latency: Chaos.between(0, 6) })
  yield* Chaos.setTier("B/shared", { latency: Chaos.between(0, 6) })
  const posted: Array<{ readonly author: string; readonly id: number }> = []
  const unseen: Array<string> = []

  const step = Effect.gen(function* () {
    const node = (yield* Random.nextBoolean) ? a : b
    const [author, reader] = [
      authors[yield* Random.nextIntBetween(0, authors.length - 1)]!,
      readers[yield* Random.nextIntBetween(0, readers.length - 1)]!,
    ]
    yield* napping
    const kind = yield* Random.nextIntBetween(0, 5)
    if (kind <= 1) return yield* node.run(Effect.asVoid(Timeline.read(reader)))
    const victim = posted.at(-1)
    if (kind === 2 && victim !== undefined) {
      posted.pop()
      yield* node.run(Timeline.remove(victim))
      const left = yield* (node === a ? b : a).run(Timeline.read(victim.author))
      if (left.some(({ id }) => id === victim.id)) unseen.push(`${victim.id} after its deletion`)
      return
    }
    const id = yield* node.run(Timeline.publish({ author, text: "hello" }))
    const own = yield* (node === a ? b : a).run(Timeline.read(author, 100))
    if (!own.some((post) => post.id === id)) unseen.push(`${id} by its author`)
    yield* node.run(Timeline.push(author, id))
    posted.push({ author, id })
  })
  yield* LarderTest.settle(
    Effect.forEach(Array.from({ length: steps }), () => step, {
      concurrency: 8,
      discard: true,
    }),
  )
  expect(unseen).toEqual([])
  for (const user of [...readers, ...authors]) {
    const ids = yield* LarderTest.settle(truth(user))
    for (const node of both) {
      const seen = yield* on(node, Timeline.read(user, 100))
      expect({ user, node: node.name, ids: seen.map(({ id }) => id) }).toEqual({
        user,
        node: node.name,
        ids,
      })
    }
  }
})

for (const seed of Array.from({ length: 12 }, (_, n) => n + 1)) {
  it.effect(`posts, deletions and reads in random order, seed ${seed}`, () =>
    round.pipe(
      Effect.scoped,
      Effect.provide(
        Layer.fresh(Layer.merge(Network.layer(10, 1), LarderTest.layerWith({ seed }))),
      ),
      Effect.provideService(Larders.PushLimit, pushLimit),
    ),
  )
}
