/** Readers that share one read of the tiers, and messages that part them. */
import { expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { CoalescedReads } from "../../../src/internal/state/coalescedReads.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

const opened = () => {
  const reads = new CoalescedReads<number>()
  let runs = 0
  const one = Effect.suspend(() => {
    runs += 1
    return Effect.delay(Effect.succeed(runs), 10)
  })
  return { reads, share: (k: string) => fork(reads.share(k, one)) }
}

it.effect("concurrent readers of a key share one read", () =>
  Effect.gen(function* () {
    const { share } = opened()
    const all = [yield* share("k"), yield* share("k"), yield* share("other")]
    yield* TestClock.adjust(10)
    expect(yield* Fiber.joinAll(all)).toEqual([1, 1, 2])
  }),
)

it.effect("law 18: readers after a message begin anew, and share among themselves", () =>
  Effect.gen(function* () {
    const { reads, share } = opened()
    const before = yield* share("k")
    yield* TestClock.adjust(5)
    reads.hear("k")
    reads.hear("other")
    const after = [yield* share("k"), yield* share("k")]
    yield* TestClock.adjust(5)
    expect(before.pollUnsafe()).toBeDefined()
    expect(after.map((fiber) => fiber.pollUnsafe())).toEqual([undefined, undefined])
    // Still the same: the first reader has left, and the key is read.
    const last = yield* share("k")
    yield* TestClock.adjust(5)
    expect(yield* Fiber.joinAll([...after, last])).toEqual([2, 2, 2])
  }),
)

it.effect("a reader that leaves does not part the others", () =>
  Effect.gen(function* () {
    const { reads, share } = opened()
    const first = yield* share("k")
    reads.hear("k")
    const second = yield* share("k")
    yield* Fiber.interrupt(first)
    const third = yield* share("k")
    yield* TestClock.adjust(10)
    expect(yield* Fiber.joinAll([second, third])).toEqual([2, 2])
  }),
)
