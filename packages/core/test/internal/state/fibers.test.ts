/** The fibers of a larder, by how closing treats them. */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Exit } from "effect"
import { Fibers } from "../../../src/internal/state/fibers.ts"

const wasInterrupted = (exit: Exit.Exit<unknown, unknown> | undefined) =>
  exit !== undefined && Exit.hasInterrupts(exit)

it("law 22: closing interrupts what runs and what begins later, not what it waits for", () => {
  const fibers = new Fibers(Context.empty())
  const before = fibers.fork(Effect.never)
  const awaited = fibers.forkAwaited(Effect.never)
  fibers.close()
  assert.isTrue(wasInterrupted(before.pollUnsafe()))
  const later = fibers.fork(Effect.never)
  const owned = Effect.runFork(Effect.never)
  fibers.own(owned)
  for (const fiber of [later, owned]) assert.isTrue(wasInterrupted(fiber.pollUnsafe()))
  const last = fibers.forkAwaited(Effect.never)
  assert.strictEqual(fibers.running.size, 0)
  assert.deepStrictEqual([...fibers.awaited], [awaited, last])
  for (const fiber of [awaited, last]) fiber.interruptUnsafe()
})
