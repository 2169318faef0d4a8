/** The time measured with and waited for: the one place of the bench that has a real clock. */

/** Milliseconds with a fraction, from an arbitrary beginning. */
export const now = (): number => performance.now()

/** Runs `f` later, unless what it gives is called before. */
export const after = (millis: number, f: () => void): (() => void) => {
  const timer = setTimeout(f, millis)
  return () => clearTimeout(timer)
}

export const sleep = (millis: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, millis))

/** The next turn of the event loop. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Milliseconds of processor time that this process has had so far: what others do on the machine takes none of it. */
export const worked = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1_000
}
