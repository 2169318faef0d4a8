/** Time for measuring and waiting: the only module of the bench with a real clock. */

/** Milliseconds with a fraction, from an arbitrary beginning. */
export const now = (): number => performance.now()

/** Runs `f` later, unless the returned function is called before. */
export const after = (millis: number, f: () => void): (() => void) => {
  const timer = setTimeout(f, millis)
  return () => clearTimeout(timer)
}

export const sleep = (millis: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, millis))

/** The next turn of the event loop. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/**
 * Milliseconds of processor time this process has used so far: other load on the machine does not
 * count.
 */
export const worked = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1_000
}
