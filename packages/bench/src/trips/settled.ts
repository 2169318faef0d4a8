/** Waits for what goes on behind the callers, such as storing what they were given. */
import { now, sleep } from "../clock.ts"

const quietMillis = 150
const mostMillis = 5_000

/** Until `count` has not changed for a while. */
export const settled = async (count: () => number | Promise<number>): Promise<void> => {
  const end = now() + mostMillis
  for (let before = -1, next = await count(); next !== before; next = await count()) {
    if (now() > end) throw new Error(`something is still sent after ${mostMillis} ms`)
    before = next
    await sleep(quietMillis)
  }
}
