/** A promise that is waited for so long and no longer. */

// Tests replace the timers; these are the real ones.
const { clearTimeout, setTimeout } = globalThis

export const pause = (millis: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, millis))

/** `undefined` where `millis` pass first. */
export const limited = async <A>(promise: Promise<A>, millis: number): Promise<A | undefined> => {
  let timer: ReturnType<typeof setTimeout> | number | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, millis)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
