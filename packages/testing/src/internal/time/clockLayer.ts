/** Virtual time for a test: a clock that knows what sleeps, and a scheduler that knows what runs. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scheduler from "effect/Scheduler"
import * as TestClock from "effect/testing/TestClock"
import { Quiet, QuietScheduler } from "./quietScheduler.ts"
import { isTestClock, Sleeps, VirtualClock } from "./virtualClock.ts"

/** Uses the `TestClock` of the test if it has one, such as that of `it.effect`, else makes one. */
export const clockLayer: Layer.Layer<never> = Layer.effectContext(
  Effect.gen(function* () {
    const outer = yield* Effect.clockWith(Effect.succeed)
    const made = isTestClock(outer) ? undefined : yield* Layer.build(TestClock.layer())
    const references = made as Context.Context<never> | undefined
    const clock = references === undefined ? outer : Context.get(references, Clock.Clock)
    const scheduler =
      references === undefined
        ? yield* Scheduler.Scheduler
        : Context.get(references, Scheduler.Scheduler)
    const quiet = new QuietScheduler(scheduler)
    return Context.make(Clock.Clock, virtual(clock as TestClock.TestClock)).pipe(
      Context.add(Scheduler.Scheduler, quiet),
      Context.add(Quiet, quiet),
    ) as Context.Context<never>
  }),
)

const virtual = (clock: TestClock.TestClock): VirtualClock =>
  clock instanceof VirtualClock
    ? new VirtualClock(clock.base, clock.sleeps, 0)
    : new VirtualClock(clock, new Sleeps(), 0)
