/** Survivors that no test can notice, each with a reason, from `explained.json`. */
import type { Result } from "../run/results.ts"
import type { Mutant } from "../source/mutant.ts"

/** Matches by the text of the source, which stays when line numbers move. */
export interface Explanation {
  readonly file: string
  /** The line in which the mutant begins, without indentation. */
  readonly line: string
  readonly original: string
  readonly mutated: string
  readonly reason: string
}

const fields = ["file", "line", "original", "mutated", "reason"] as const

export class InvalidExplanation extends Error {}

/** Throws {@link InvalidExplanation}. */
export const parse = (text: string): ReadonlyArray<Explanation> => {
  const entries: unknown = JSON.parse(text)
  if (!Array.isArray(entries)) throw new InvalidExplanation("explained.json must be an array")
  return entries.map((entry: Partial<Explanation>, index) => {
    for (const field of fields) {
      if (typeof entry?.[field] !== "string" || (field !== "mutated" && entry[field] === "")) {
        throw new InvalidExplanation(
          `explained.json: entry ${index + 1} has no ${field}; copy the entry from the report and add a reason`,
        )
      }
    }
    return entry as Explanation
  })
}

const matches = (explanation: Explanation, mutant: Mutant): boolean =>
  explanation.file === mutant.file &&
  explanation.line === mutant.text &&
  explanation.original === mutant.original &&
  explanation.mutated === mutant.mutated

export interface Explained {
  readonly result: Result
  readonly reason: string
}

/**
 * Splits the results: explained survivors apart, and explanations that no mutant needs any more.
 */
export const explain = (
  results: ReadonlyArray<Result>,
  explanations: ReadonlyArray<Explanation>,
  all: ReadonlyArray<Mutant>,
) => {
  const explained: Array<Explained> = []
  const others: Array<Result> = []
  for (const result of results) {
    const found = explanations.find((each) => matches(each, result.mutant))
    if (found !== undefined && result.fate._tag === "Survived") {
      explained.push({ result, reason: found.reason })
    } else others.push(result)
  }
  const files = new Set(all.map(({ file }) => file))
  // Several mutants may have the same text: an explanation is needed while one of them survives or
  // is untried.
  const unneeded = explanations.filter((each) => {
    const own = all.filter((mutant) => matches(each, mutant))
    const caught = others.filter(
      ({ fate, mutant }) => matches(each, mutant) && fate._tag !== "NotCovered",
    )
    return files.has(each.file) && caught.length === own.length
  })
  return { explained, others, unneeded }
}
