/** What is shown of each operation. */
import { aligned } from "../aligned.ts"
import type { Held } from "./turns.ts"

/** Milliseconds that no turn may hold up the event loop for. */
export const mostMillis = 5

export interface Line {
  readonly title: string
  /** Milliseconds until the operation had ended. */
  readonly operation: number
  readonly held: Held
  /** The longest turn by the clock on the wall, whoever it was that took so long. */
  readonly turn: number
  readonly collection: number
}

const heads = ["", "held up by", "for", "longest turn", "longest GC", "operation", ""]

const row = ({ collection, held, operation, title, turn }: Line): ReadonlyArray<string> => [
  title,
  held.doing,
  ...[held.millis, turn, collection, operation].map((millis) => `${millis.toFixed(2)} ms`),
  held.millis <= mostMillis ? "met" : "MISSED",
]

export const report = (lines: ReadonlyArray<Line>): string =>
  aligned([heads, ...lines.map(row)], 2).join("\n")
