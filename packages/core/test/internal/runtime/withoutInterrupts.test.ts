import { assert, describe, it } from "@effect/vitest"
import { Cause, Exit } from "effect"
import { withoutInterrupts } from "../../../src/internal/runtime/withoutInterrupts.ts"

const interrupted = Cause.interrupt(1).reasons
const failed = Cause.fail("no").reasons

describe("law 6: an exit for callers that were not interrupted", () => {
  it("is the same exit where nothing was interrupted", () => {
    for (const exit of [Exit.succeed(1), Exit.fail("no"), Exit.die("bug")]) {
      assert.strictEqual(
        withoutInterrupts(exit, () => "unused"),
        exit,
      )
    }
    // A cause without a reason is none of an interruption either.
    const empty = Exit.failCause(Cause.empty)
    assert.strictEqual(
      withoutInterrupts(empty, () => "unused"),
      empty,
    )
  })

  it("has all other reasons, else the defect", () => {
    assert.deepStrictEqual(
      withoutInterrupts(
        Exit.failCause(Cause.fromReasons([...interrupted, ...failed])),
        () => "unused",
      ),
      Exit.fail("no"),
    )
    assert.deepStrictEqual(
      withoutInterrupts(Exit.failCause(Cause.fromReasons(interrupted)), () => "stands in"),
      Exit.die("stands in"),
    )
  })
})
