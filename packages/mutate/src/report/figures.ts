/** The results of a file, a group or all files, as numbers. */
import { isCaught, type Result } from "../run/results.ts"
import { type Interval, wilson } from "./wilson.ts"

export interface Figures {
  readonly mutants: number
  readonly caught: number
  readonly timedOut: number
  readonly survived: number
  readonly notCovered: number
  /** Caught only by random sequences; counted in `caught` as well. */
  readonly alone: number
  /** Caught or timed out, of all. */
  readonly share: number
  /** The interval of the share of all mutants, when the results are a sample. */
  readonly interval: Interval
}

export const figures = (results: ReadonlyArray<Result>): Figures => {
  const count = (tag: Result["fate"]["_tag"]) =>
    results.filter(({ fate }) => fate._tag === tag).length
  const noticed = results.filter(isCaught).length
  return {
    mutants: results.length,
    caught: count("Caught"),
    timedOut: count("TimedOut"),
    survived: count("Survived"),
    notCovered: count("NotCovered"),
    alone: results.filter(({ fate }) => fate._tag === "Caught" && fate.alone).length,
    share: results.length === 0 ? 1 : noticed / results.length,
    interval: wilson(noticed, results.length),
  }
}
