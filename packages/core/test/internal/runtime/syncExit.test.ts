import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { atOnce, mapAtOnce } from "../../../src/internal/runtime/syncExit.ts"

describe("an effect that has ended already", () => {
  it("is its own exit, also where it failed", () => {
    const [good, bad] = [Exit.succeed(1), Exit.fail("no")]
    assert.strictEqual(atOnce(good), good)
    assert.strictEqual(atOnce(bad), bad)
    assert.strictEqual(atOnce(Effect.suspend(() => Effect.succeed(1))), undefined)
  })

  it("is mapped without being run", () => {
    let calls = 0
    const f = (n: number) => {
      calls += 1
      return n + 1
    }
    assert.deepStrictEqual(mapAtOnce(Exit.succeed(1), f), Exit.succeed(2))
    assert.deepStrictEqual(mapAtOnce(Exit.fail("no"), f), Exit.fail("no"))
    assert.strictEqual(calls, 1)
    const later = mapAtOnce(
      Effect.suspend(() => Effect.succeed(2)),
      f,
    )
    assert.strictEqual(calls, 1)
    assert.strictEqual(Effect.runSync(later), 3)
  })
})
