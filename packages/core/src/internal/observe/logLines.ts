/** Which events become log lines, as a pure function of the event and of what was said before. */
import type * as LogLevel from "effect/LogLevel"
import type {
  Answered,
  BreakerChanged,
  Failed,
  LarderEvent,
  StaleServed,
} from "../../LarderEvent.ts"
import { noSource, upstreamSource } from "./counters.ts"

/**
 * The message of a log line.
 *
 * @category models
 * @since 0.1.0
 */
export type Message = "breaker changed" | "tiers missed" | "stampede" | "serving stale"

/** The level of a line of a larder. */
export type Level = LogLevel.Severity

export interface Line {
  readonly message: Message
  readonly level: Level
  /** The key; the line shows it as `KeyDisplay` says. */
  readonly key?: string
  readonly annotations: Readonly<Record<string, string | number>>
}

/** The line of an event by itself; undefined for an event that has none. `tiers`: nearest first. */
export const lineOf = (event: LarderEvent, tiers: ReadonlyArray<string>): Line | undefined => {
  switch (event._tag) {
    case "BreakerChanged":
      return breakerLine(event)
    case "Answered":
      return missedLine(event, event.tier, tiers)
    case "StaleServed":
      // An answer at once missed no tier.
      return event.millis > 0 ? missedLine(event, event.tier, tiers) : undefined
    case "Failed":
      return wentPastMemory(event) ? missedLine(event, noSource, tiers) : undefined
    case "StampedeDetected": {
      const { callers, key, lookups } = event
      return { message: "stampede", level: "Warn", key, annotations: { callers, lookups } }
    }
    default:
      return undefined
  }
}

const breakerLevels: Readonly<Record<BreakerChanged["to"], Level>> = {
  Closed: "Info",
  HalfOpen: "Debug",
  Open: "Warn",
}

const breakerLine = ({ breaker, from, to }: BreakerChanged): Line => ({
  message: "breaker changed",
  level: breakerLevels[to],
  annotations: { breaker, from, to },
})

/** A call that the larder refused, or answered with a remembered failure, has asked no tier. */
const wentPastMemory = ({ reason }: Failed): boolean =>
  reason !== "invalidKey" && reason !== "closed" && reason !== "remembered"

/** The tiers before the source had nothing that the caller accepted. */
const missedLine = (
  { key, millis }: Answered | StaleServed | Failed,
  source: string,
  tiers: ReadonlyArray<string>,
): Line => {
  const place = tiers.indexOf(source)
  const isNone = source === noSource || source === upstreamSource || place < 0
  const missed = isNone ? tiers : tiers.slice(0, place)
  return {
    message: "tiers missed",
    level: "Debug",
    key,
    annotations: { tiers: missed.join(">"), millis, source },
  }
}

const staleLine = (
  reason: StaleServed["reason"],
  more: Pick<Line, "key" | "annotations">,
): Line => ({
  message: "serving stale",
  level: reason === "revalidating" ? "Info" : "Warn",
  ...more,
})

interface Serving {
  /** Stale answers since the last line. */
  count: number
  windowsLeft: number
}

/** Windows of half a minute from one summary to the next. */
const windowsPerSummary = 2

/** The stale answers of one larder: a line for the first of a reason, then a summary a minute while it goes on. */
export class StaleAnswers {
  readonly #serving = new Map<StaleServed["reason"], Serving>()

  heard({ age, key, reason, tier }: StaleServed): Line | undefined {
    const serving = this.#serving.get(reason)
    if (serving !== undefined) {
      serving.count += 1
      return undefined
    }
    this.#serving.set(reason, { count: 0, windowsLeft: windowsPerSummary })
    return staleLine(reason, { key, annotations: { reason, tier, age } })
  }

  /** A window has ended: the summaries that are due. */
  windowEnded(): ReadonlyArray<Line> {
    const due = [...this.#serving].filter(([, serving]) => {
      serving.windowsLeft -= 1
      return serving.windowsLeft === 0
    })
    return this.#summarized(due)
  }

  /** The summaries of what was not told yet. */
  rest(): ReadonlyArray<Line> {
    return this.#summarized([...this.#serving])
  }

  #summarized(due: ReadonlyArray<readonly [StaleServed["reason"], Serving]>): ReadonlyArray<Line> {
    return due.flatMap(([reason, serving]) => {
      const { count } = serving
      if (count === 0) {
        this.#serving.delete(reason)
        return []
      }
      serving.count = 0
      serving.windowsLeft = windowsPerSummary
      return [staleLine(reason, { annotations: { reason, count } })]
    })
  }
}
