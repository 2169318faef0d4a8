/**
 * Slow steps as events of a caller's span: before the lookup that the caller waits for, of a change that
 * it waits for, and of the value on its way to the tiers, as long as the span is open.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { slowStepMillis } from "../runtime/limits.ts"
import { type TierOperation, tierOperations } from "../observe/labels.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import type { CallerSpan, Engine } from "./engine.ts"

/** Adds an event to the caller's span, if there is one and the step took long. A span that has ended is exported. */
export const tellSlow = (
  engine: Engine,
  span: CallerSpan,
  event: "larder.tier" | "larder.lease_wait",
  millis: number,
  attributes: Readonly<Record<string, string>> = {},
): void => {
  if (span?._tag !== "Span" || millis <= slowStepMillis || span.status._tag === "Ended") return
  const { clock, larder } = engine.observer
  span.event(event, clock.currentTimeNanosUnsafe(), {
    "larder.name": larder,
    ...attributes,
    "larder.millis": millis,
  })
}

/** As {@link tellSlow}, of a step in a tier. */
export const tellSlowStep = (
  engine: Engine,
  span: CallerSpan,
  { name }: FartherTier,
  operation: TierOperation,
  millis: number,
): void =>
  tellSlow(engine, span, "larder.tier", millis, {
    "larder.tier": name,
    "larder.operation": tierOperations[operation],
  })

/** The span of the caller for whom work runs in a fiber of the larder, which has no span of its own. */
const WaitingSpan = Context.Reference<CallerSpan>("@larder/core/internal/WaitingSpan", {
  defaultValue: () => undefined,
})

/** Runs work of the larder for a caller with this span. */
export const forCaller = <A>(span: CallerSpan, work: Effect.Effect<A>): Effect.Effect<A> =>
  span === undefined ? work : Effect.provideService(work, WaitingSpan, span)

/** Runs a step in a tier, and tells the caller's span if it took long. */
export const step = <A>(
  engine: Engine,
  tier: FartherTier,
  operation: TierOperation,
  run: Effect.Effect<A>,
): Effect.Effect<A> =>
  Effect.withFiber((fiber) => {
    const span = fiber.getRef(WaitingSpan)
    if (span === undefined) return run
    const began = engine.stopwatch()
    return Effect.map(run, (done) => {
      tellSlowStep(engine, span, tier, operation, engine.stopwatch() - began)
      return done
    })
  })
