/** Records when this process does not run: stopped, blocked or starved. */
import { every, now } from "../clock.ts"
import type { StallLine } from "./Line.ts"
import type { Log } from "./log.ts"

const tickMillis = 20
const stallMillis = 80

/** A late tick means that the process did not run. Returns the end of the watch. */
export const watchStalls = (name: string, log: Log<StallLine>): (() => void) => {
  let last = now()
  return every(tickMillis, () => {
    const at = now()
    if (at - last > stallMillis) log.write({ t: "stall", node: name, from: last, to: at })
    last = at
  })
}
