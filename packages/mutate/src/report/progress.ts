/** The progress display. */
import type { Progress } from "../run/campaign.ts"
import { isCaught } from "../run/results.ts"

const seconds = (millis: number): string => {
  const whole = Math.round(millis / 1_000)
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`
}

/** The interval of lines when the output is no terminal, ms. */
const everyMillis = 10_000

const leftOut = (tests: ReadonlyArray<string>): void => {
  for (const test of tests) console.error(`ignored, because it fails without a mutant: ${test}`)
}

/** Overwrites one line on a terminal, and prints a line now and then elsewhere. */
export const shown = (total: number): Progress => {
  const { stderr } = process
  let began = Date.now()
  let last = 0
  let done = 0
  let caught = 0
  const tell = (line: string, always: boolean) => {
    if (stderr.isTTY) stderr.write(`\r\u{1b}[K${line}${always ? "\n" : ""}`)
    else if (always || Date.now() - last > everyMillis) {
      last = Date.now()
      stderr.write(`${line}\n`)
    }
  }
  return {
    leftOut,
    measured: (tests, millis) => {
      began = Date.now()
      tell(`${tests} tests take ${seconds(millis)} without a mutant; ${total} mutants`, true)
    },
    done: (result) => {
      done += 1
      if (isCaught(result)) caught += 1
      const left = ((Date.now() - began) / done) * (total - done)
      const share = ((100 * caught) / done).toFixed(1)
      tell(`${done} of ${total}, ${share} % caught, about ${seconds(left)} left`, done === total)
    },
  }
}

export const silent: Progress = { leftOut, measured: () => undefined, done: () => undefined }
