/** How far a run is, on standard error: one line that is drawn over on a terminal, lines elsewhere. */

export interface Step {
  readonly case: string
  readonly variant: string
  readonly round: number
  readonly rounds: number
  readonly contender: string
  /** How long it takes, in whatever unit the others are given in. */
  readonly weight: number
}

/** What is behind and ahead when a step begins. */
export interface Progress {
  readonly step: Step
  /** Weight of the steps that are done, and of all. */
  readonly done: number
  readonly total: number
  readonly elapsedMillis: number
}

const barWidth = 20

const bar = (share: number): string => {
  const full = Math.floor(share * barWidth)
  return `[${"#".repeat(full)}${".".repeat(barWidth - full)}]`
}

/** Minutes and seconds. */
export const duration = (millis: number): string => {
  const seconds = Math.ceil(millis / 1_000)
  const padded = String(seconds % 60).padStart(2, "0")
  return `${Math.floor(seconds / 60)}:${padded}`
}

/** As if the rest went at the pace so far. */
const left = ({ done, elapsedMillis, total }: Progress): string =>
  done === 0 ? "" : `, ${duration((elapsedMillis / done) * (total - done))} left`

const named = ({ case: name, contender, round, rounds, variant }: Step): string =>
  `${name} ${variant}, round ${round} of ${rounds}: ${contender}`

export const line = (progress: Progress): string => {
  const share = progress.done / progress.total
  const percent = `${String(Math.floor(share * 100)).padStart(3)} %`
  return `${bar(share)} ${percent}${left(progress)}  ${named(progress.step)}`
}

/** Of `process.stderr`, what is used here. */
export interface Terminal {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly write: (text: string) => unknown
}

export interface Reporter {
  /** The next of the steps begins. */
  readonly next: () => void
  /** Nothing more comes: whatever is printed next has a line of its own. */
  readonly end: () => void
}

const clearLine = "\r\u001B[K"

/** For steps that will be taken in this order. */
export const reporter = (
  steps: ReadonlyArray<Step>,
  terminal: Terminal,
  now: () => number,
): Reporter => {
  const total = steps.reduce((sum, { weight }) => sum + weight, 0)
  const began = now()
  let taken = 0
  let done = 0
  return {
    next: () => {
      const step = steps[taken]
      if (step === undefined) throw new RangeError(`only ${steps.length} steps were announced`)
      if (taken > 0) done += steps[taken - 1]!.weight
      taken += 1
      const shown = line({ step, done, total, elapsedMillis: now() - began })
      // One column is left free: a full line would wrap.
      terminal.write(
        terminal.isTTY === true
          ? `${clearLine}${shown.slice(0, (terminal.columns ?? 80) - 1)}`
          : `${shown}\n`,
      )
    },
    end: () => {
      if (terminal.isTTY === true) terminal.write(clearLine)
    },
  }
}
