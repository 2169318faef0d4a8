/** Slow steps before a lookup, as events of the span of the caller that waits for them. */
import { slowStepMillis } from "../runtime/limits.ts"
import { type TierOperation, tierOperations } from "../observe/labels.ts"
import type { CallerSpan, Engine } from "../state/engine.ts"
import type { FartherTier } from "../tier/backingTier.ts"

/** Adds an event to the caller's span, if there is one and the step took long. */
export const tellSlow = (
  engine: Engine,
  span: CallerSpan,
  event: "larder.tier" | "larder.lease_wait",
  millis: number,
  attributes: Readonly<Record<string, string>> = {},
): void => {
  if (span?._tag !== "Span" || millis <= slowStepMillis) return
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
