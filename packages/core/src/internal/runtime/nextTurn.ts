/** What can wait until whoever runs now has had its turn. */
import * as Context from "effect/Context"
import * as Scheduler from "effect/Scheduler"

/** Runs a task in a later turn of the event loop, in the order in which they were given. */
export type Soon = (task: () => void) => void

export const make = (context: Context.Context<never>): Soon => {
  const dispatcher = Context.get(context, Scheduler.Scheduler).makeDispatcher()
  return (task) => dispatcher.scheduleTask(task, 0)
}
