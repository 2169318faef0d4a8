/** What keeps a process alive is seen from outside in ending.test.ts; these hold the module itself, in one process. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit } from "effect"
import { vi } from "vitest"
import {
  forBackground,
  inBackground,
  systemClock,
  WaitingCallers,
} from "../../../src/internal/runtime/processLife.ts"

/** Timers of this process that keep it alive. */
const holding = () => process.getActiveResourcesInfo().filter((type) => type === "Timeout").length

interface Timer {
  readonly run: () => void
  readonly millis: number
  held: boolean
  cleared: boolean
}

/** Runs `body` with timers that are fired by hand; what is set meanwhile is in `timers`. */
const withTimers = (
  body: (timers: ReadonlyArray<Timer>) => void,
  handle: (timer: Timer) => unknown = (timer) => ({
    timer,
    ref: () => (timer.held = true),
    unref: () => (timer.held = false),
  }),
) => {
  const timers: Array<Timer> = []
  const handles = new Map<unknown, Timer>()
  vi.stubGlobal("setTimeout", (run: () => void, millis: number) => {
    const timer: Timer = { run, millis, held: true, cleared: false }
    timers.push(timer)
    const made = handle(timer)
    handles.set(made, timer)
    return made
  })
  vi.stubGlobal("clearTimeout", (made: unknown) => {
    const timer = handles.get(made)
    if (timer !== undefined) timer.cleared = true
  })
  try {
    body(timers)
  } finally {
    vi.unstubAllGlobals()
  }
}

const sleep = (millis: number) =>
  Effect.runFork(forBackground(systemClock).sleep(Duration.millis(millis)))

const longest = 2 ** 31 - 1

describe("callers that wait", () => {
  it("hold the process together, from the first until the last has left", () => {
    const before = holding()
    const here = new WaitingCallers(true)
    const there = new WaitingCallers(true)
    const seen: Array<number> = []
    const step = (act: () => void) => {
      act()
      seen.push(holding() - before)
    }
    for (let round = 0; round < 2; round += 1) {
      step(() => here.joined())
      step(() => there.joined())
      step(() => here.left())
      step(() => there.left())
    }
    assert.deepStrictEqual(seen, [1, 1, 1, 0, 1, 1, 1, 0])
  })

  it("of a larder in virtual time hold nothing", () => {
    const before = holding()
    const callers = new WaitingCallers(false)
    callers.joined()
    assert.strictEqual(holding(), before)
    callers.left()
    // Nor do they count as ones that have left.
    const real = new WaitingCallers(true)
    real.joined()
    callers.left()
    assert.strictEqual(holding(), before + 1)
    real.left()
    assert.strictEqual(holding(), before)
  })

  it("hold it as long as an effect runs, however that ends", () => {
    const before = holding()
    const callers = new WaitingCallers(true)
    const seen = Effect.sync(() => holding() - before)
    assert.strictEqual(Effect.runSync(callers.during(seen)), 1)
    assert.strictEqual(holding(), before)
    assert.deepStrictEqual(Effect.runSyncExit(callers.during(Effect.fail("no"))), Exit.fail("no"))
    assert.strictEqual(holding(), before)
    assert.strictEqual(Effect.runSync(new WaitingCallers(false).during(seen)), 0)
  })
})

describe("a sleep in the background", () => {
  it("keeps no process alive, and ends when its timer fires", () =>
    withTimers((timers) => {
      const fiber = sleep(1_000)
      assert.deepInclude(timers[0], { millis: 1_000, held: false })
      assert.strictEqual(fiber.pollUnsafe(), undefined)
      timers[0]!.run()
      assert.deepStrictEqual(fiber.pollUnsafe(), Exit.void)
      assert.strictEqual(timers.length, 1)
    }))

  it("has no timer any more when it is interrupted", () =>
    withTimers((timers) => {
      const fiber = sleep(1_000)
      fiber.interruptUnsafe()
      assert.isTrue(timers[0]!.cleared)
    }))

  it("is cut into timers that the platform can hold", () =>
    withTimers((timers) => {
      const fiber = sleep(longest + 5)
      timers[0]!.run()
      assert.strictEqual(fiber.pollUnsafe(), undefined)
      timers[1]!.run()
      assert.deepStrictEqual(fiber.pollUnsafe(), Exit.void)
      assert.deepStrictEqual(
        timers.map(({ millis }) => millis),
        [longest, 5],
      )
    }))

  it("as long as the longest timer takes one", () =>
    withTimers((timers) => {
      const fiber = sleep(longest)
      timers[0]!.run()
      assert.deepStrictEqual(fiber.pollUnsafe(), Exit.void)
      assert.strictEqual(timers.length, 1)
    }))

  it("of no time sets no timer, and one without end neither", () =>
    withTimers((timers) => {
      sleep(0)
      const endless = sleep(Infinity)
      assert.strictEqual(timers.length, 0)
      endless.interruptUnsafe()
      const short = sleep(0.5)
      assert.strictEqual(timers.length, 1)
      short.interruptUnsafe()
    }))

  it.each([
    ["a number", () => 7],
    ["null", () => null],
    ["an object that cannot be let go", () => ({ ref: () => {} })],
    [
      "an object that cannot be held again",
      (timer: Timer) => ({ unref: () => (timer.held = false) }),
    ],
    [
      "a function",
      (timer: Timer) =>
        Object.assign(() => {}, { ref: () => {}, unref: () => (timer.held = false) }),
    ],
  ])("works where a timer is %s", (_, handle) =>
    withTimers((timers) => {
      const fiber = sleep(1_000)
      assert.isTrue(timers[0]!.held)
      timers[0]!.run()
      assert.deepStrictEqual(fiber.pollUnsafe(), Exit.void)
    }, handle),
  )

  it.effect("goes by any other clock as that says", () =>
    Effect.map(Clock.Clock, (clock) => {
      assert.strictEqual(forBackground(clock), clock)
      assert.notStrictEqual(forBackground(systemClock), systemClock)
    }),
  )

  it("of an effect, or of a fiber that it forks, keeps no process alive", () =>
    withTimers((timers) => {
      const body = Effect.andThen(Effect.forkChild(Effect.sleep(2_000)), Effect.sleep(1_000))
      const fiber = Effect.runFork(inBackground(body))
      assert.isAtLeast(timers.length, 1)
      assert.isTrue(timers.every(({ held }) => !held))
      fiber.interruptUnsafe()
      const outside = Effect.runFork(Effect.sleep(1_000))
      assert.isTrue(timers.at(-1)!.held)
      outside.interruptUnsafe()
    }))
})
