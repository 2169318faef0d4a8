/** Tasks for a later turn of the event loop. */
import * as Context from "effect/Context"
import * as Scheduler from "effect/Scheduler"

/** Runs a task in a later turn of the event loop; tasks keep their order. */
export type Soon = (task: () => void) => void

export const make = (context: Context.Context<never>): Soon => {
  const dispatcher = Context.get(context, Scheduler.Scheduler).makeDispatcher()
  return (task) => dispatcher.scheduleTask(task, 0)
}
