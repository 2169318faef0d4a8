/** Turns of the event loop that a test begins one by one. */
import { Effect } from "effect"
import { Turns } from "../../src/internal/runtime/turns.ts"

export const turnsByHand = Effect.clockWith((clock) => {
  const asked: Array<() => void> = []
  const turns = new Turns((task) => asked.push(task), clock)
  return Effect.succeed({
    turns,
    /** How many turns the event loop was asked for, that have not begun. */
    asked: () => asked.length,
    /** Begins the turn that was asked for first. */
    next: Effect.suspend(() => {
      asked.shift()?.()
      return Effect.yieldNow
    }),
  })
})
