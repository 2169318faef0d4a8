/** Waits for a promise with a timeout. */

// The real timers: tests replace them.
const { clearTimeout, setTimeout } = globalThis

export const pause = (millis: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, millis))

/** `undefined` after `millis`. */
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
