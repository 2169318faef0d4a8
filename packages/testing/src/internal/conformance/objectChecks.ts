/** Checks for tiers that store values themselves, in this process. */
import { Policy, type Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { strict as assert } from "node:assert"
import { checksThat, freshName, lifeMillis } from "./subject.ts"

const policy = Policy.make({ freshFor: lifeMillis })

const entryOf = (key: string, value: string, version: number): Tier.MemoryEntry => ({
  key,
  entry: {
    value,
    storedAt: 0,
    freshUntil: lifeMillis,
    revalidateUntil: lifeMillis,
    staleUntil: lifeMillis,
    loadMillis: 0,
    version,
    asOf: 0,
    tags: [],
  },
  exit: Exit.succeed(value),
  asked: key,
  policy,
  freshCap: Infinity,
  gapsBefore: 0,
  confirmedAt: 0,
  isProvisional: false,
})

export const objectChecks = checksThat("objects")({
  "law 13: a put of a lower version leaves the newer entry, an equal one replaces it": ({ tier }) =>
    Effect.gen(function* () {
      assert(tier.kind === "objects")
      const larder = yield* freshName("conformance")
      const store = yield* tier.open({ larder, onEvicted: () => {} })
      const put = (value: string, version: number) => {
        const isStored = store.put(entryOf("a", value, version), 1, { until: 0, checkedAt: -1 }, 0)
        return [isStored, store.peek("a")?.entry.value]
      }
      assert.deepEqual(put("second", 2), [true, "second"])
      assert.deepEqual(put("first", 1), [false, "second"])
      assert.deepEqual(put("another second", 2), [true, "another second"])
      assert.deepEqual(put("third", 3), [true, "third"])
    }),
})
