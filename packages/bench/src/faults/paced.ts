/**
 * Calls that start at a steady pace, whether or not earlier ones have ended: what callers see when
 * a server fails.
 */
import { after, now, sleep } from "../clock.ts"

/** How a call ended, and how long after its start. */
export interface Outcome {
  readonly hasFailed: boolean
  readonly millis: number
}

export interface Pace {
  readonly calls: number
  /** Between the starts of two calls. */
  readonly everyMillis: number
  /** The timeout of a call, which counts as no failure but as so long a time. */
  readonly patienceMillis: number
}

const timed = (call: () => Promise<unknown>, patienceMillis: number): Promise<Outcome> =>
  new Promise((resolve) => {
    const begin = now()
    // A timer may fire a fraction of a millisecond early: count the whole time for a call that timed out.
    const end = (hasFailed: boolean, waited = 0) => {
      stopWaiting()
      resolve({ hasFailed, millis: Math.max(waited, now() - begin) })
    }
    const stopWaiting = after(patienceMillis, () => end(false, patienceMillis))
    call().then(
      () => end(false),
      () => end(true),
    )
  })

/** Makes calls at a fixed pace; `call` gets the number of each. Returns the outcomes in the order of the calls. */
export const paced = async (
  { calls, everyMillis, patienceMillis }: Pace,
  call: (number: number) => Promise<unknown>,
): Promise<ReadonlyArray<Outcome>> => {
  const begin = now()
  const outcomes: Array<Promise<Outcome>> = []
  for (let number = 0; number < calls; number++) {
    await sleep(Math.max(0, begin + number * everyMillis - now()))
    outcomes.push(timed(() => call(number), patienceMillis))
  }
  return Promise.all(outcomes)
}
