import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { counting, node } from "./support/nodes.ts"
import { freshName, useServer } from "./support/tiers.ts"
import { redisSuite } from "./support/withRedis.ts"

redisSuite("tags", () => {
  const { client } = useServer()

  const nodes = (tags: () => ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const source = counting((key, count) => Effect.succeed(`${key} ${count}`))
      const name = freshName()
      const join = Effect.flatMap(client, (redis) =>
        node(redis, { name, lookup: source.lookup, tags }),
      )
      return { a: yield* join, b: yield* join, join }
    })

  it.live("law 12: a tag with a lone surrogate is one and the same for all nodes", () =>
    Effect.gen(function* () {
      const tag = "user \ud83d"
      const { a, b, join } = yield* nodes(() => [tag])
      yield* a.get("k")
      assert.isTrue((yield* b.invalidateTags([tag])).settled)
      assert.strictEqual(yield* (yield* join).get("k"), "k 2")
    }),
  )

  it.live("law 12: more tags than fit in one step are invalidated in several", () =>
    Effect.gen(function* () {
      const { a, b, join } = yield* nodes(() => ["tag 19999"])
      yield* a.get("k")
      const tags = Array.from({ length: 20_000 }, (_, i) => `tag ${i}`)
      assert.isTrue((yield* b.invalidateTags(tags)).settled)
      assert.strictEqual(yield* (yield* join).get("k"), "k 2")
    }),
  )
})
