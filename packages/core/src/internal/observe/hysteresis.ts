/** Raises late and clears later: a single window is chance. */

/** Whether something is raised, and how many windows in a row speak against that. */
export interface Streak {
  readonly raised: boolean
  readonly over: number
  readonly under: number
}

export const calm: Streak = { raised: false, over: 0, under: 0 }

const windowsToRaise = 2
const windowsToClear = 4

/**
 * After a window in which the figure was so many times its threshold. `undefined`: too little happened to
 * tell. Such a window is not the second in a row, and it does not show that the trouble is over.
 */
export const step = (before: Streak, score: number | undefined): Streak => {
  if (score === undefined) return { ...before, over: 0 }
  const over = score > 1 ? before.over + 1 : 0
  const under = score < 0.5 ? before.under + 1 : 0
  const raised = before.raised ? under < windowsToClear : over >= windowsToRaise
  return raised === before.raised ? { raised, over, under } : { ...calm, raised }
}
