/** Early refresh on a schedule: draws as a read would, for keys that are read in bursts. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Schedule from "effect/Schedule"
import type { EarlyRefresh } from "../../EarlyRefresh.ts"
import { anything } from "../read/question.ts"
import { decide } from "../read/decide.ts"
import { inBackground } from "../read/act.ts"
import type { Engine } from "../state/engine.ts"
import { forBackground } from "../runtime/processLife.ts"
import { keysPerSweep, sweepSchedules } from "../runtime/limits.ts"

interface Sweep {
  readonly schedule: Schedule.Schedule<unknown>
  /** Closed while no entry is fresh. */
  readonly latch: Latch.Latch
}

/** The sweeps of one larder: one for each schedule, from the first stored entry with it. */
export class Sweeps {
  readonly #engine: Engine
  readonly #sweeps = new Map<Schedule.Schedule<unknown>, Sweep>()

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Called when an entry with this early refresh is stored. */
  readonly kept = (early: EarlyRefresh): void => {
    if (early._tag !== "Scheduled") return
    const sweep = this.#of(early.schedule) ?? this.#begin(early.schedule)
    sweep.latch.openUnsafe()
  }

  /** The sweep of a schedule; beyond `sweepSchedules`, the first one. */
  #of(schedule: Schedule.Schedule<unknown>): Sweep | undefined {
    const own = this.#sweeps.get(schedule)
    if (own !== undefined || this.#sweeps.size < sweepSchedules) return own
    this.#warn()
    const [first] = this.#sweeps.values()
    return first
  }

  #begin(schedule: Schedule.Schedule<unknown>): Sweep {
    const sweep: Sweep = { schedule, latch: Latch.makeUnsafe(false) }
    this.#sweeps.set(schedule, sweep)
    const clock = forBackground(Context.get(this.#engine.context, Clock.Clock))
    const sweeps = Effect.repeat(this.#tick(sweep), schedule)
    this.#engine.fibers.fork(Effect.provideService(sweeps, Clock.Clock, clock))
    return sweep
  }

  #warned = false

  #warn(): void {
    if (this.#warned) return
    this.#warned = true
    this.#engine.warnings.warn(
      "schedules",
      `its policies have more than ${sweepSchedules} different schedules in EarlyRefresh.scheduled; values with further schedules are swept on the first one. Make the Schedule once, outside the function of the adaptive policy, and use it for every value`,
    )
  }

  #tick(sweep: Sweep): Effect.Effect<void> {
    return Effect.andThen(
      sweep.latch.await,
      Effect.sync(() => this.#look(sweep)),
    )
  }

  #look(sweep: Sweep): void {
    const engine = this.#engine
    const now = engine.now()
    // No entry is fresh any more: pause until one is stored.
    if (now >= engine.entries.lastFresh) sweep.latch.closeUnsafe()
    for (const { asked, key, policy } of engine.near.hot(keysPerSweep)) {
      const { earlyRefresh } = policy
      if (earlyRefresh._tag !== "Scheduled" || this.#of(earlyRefresh.schedule) !== sweep) continue
      const { action, local } = decide(engine, key, anything, now)
      if (action._tag !== "Serve" || !action.refresh || local === undefined) continue
      engine.observer.counters.refreshes.scheduled += 1
      engine.observer.tell({ _tag: "EarlyRefresh", key })
      inBackground(engine, { key: asked, k: key, span: undefined }, local, true)
    }
  }
}
