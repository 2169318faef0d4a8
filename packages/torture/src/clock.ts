/**
 * The only module of the tool that reads a clock. All processes of a machine share this clock
 * (CLOCK_MONOTONIC).
 */

/** Milliseconds with three decimals, from an arbitrary beginning that is the same in every process. */
export const now = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000

/** Calls `f` every so many milliseconds, until the returned function is called. */
export const every = (millis: number, f: () => void): (() => void) => {
  const timer = setInterval(f, millis)
  return () => clearInterval(timer)
}

export const after = (millis: number, f: () => void): (() => void) => {
  const timer = setTimeout(f, millis)
  return () => clearTimeout(timer)
}

/** Blocks the event loop for this long. */
export const block = (millis: number): void => {
  const end = now() + millis
  while (now() < end) {
    // busy-wait
  }
}
