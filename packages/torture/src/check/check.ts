/** Applies all rules to the lines of one round. Uses only what Larder's documentation promises. */
import { type History, histories } from "../history/History.ts"
import type { Line } from "../history/Line.ts"
import { convergence } from "./convergence.ts"
import { errors } from "./errors.ts"
import { freshness } from "./freshness.ts"
import { hangs } from "./hangs.ts"
import { isolation } from "./isolation.ts"
import { lives } from "./lives.ts"
import { losses } from "./losses.ts"
import { messages } from "./messages.ts"
import { room } from "./room.ts"
import { updates } from "./updates.ts"
import { unhandled, values } from "./values.ts"
import { distinct, type Violation } from "./Violation.ts"

const ofLarder: ReadonlyArray<(history: History) => ReadonlyArray<Violation>> = [
  freshness,
  messages,
  lives,
  losses,
  hangs,
  errors,
  values,
  convergence,
  isolation,
  room,
  updates,
]

export const check = (lines: ReadonlyArray<Line>): ReadonlyArray<Violation> => {
  const all = histories(lines)
  const first = all[0]
  return distinct([
    ...all.flatMap((history) => ofLarder.flatMap((rule) => rule(history))),
    ...(first === undefined ? [] : unhandled(first)),
  ])
}
