/**
 * Puts all mutants of a source into it; at run time a number selects one. So the source is
 * transformed and loaded once for all mutants.
 */
import { parseSync } from "vite"
import type { Mutant, Placement } from "./mutant.ts"
import { placementsOf } from "./placements.ts"

/** The first numbers of a file, so that numbers are unique across files. */
export interface Numbering {
  readonly mutant: number
  readonly placement: number
}

export const firstNumbers: Numbering = { mutant: 1, placement: 0 }

export interface Instrumented {
  readonly code: string
  readonly mutants: ReadonlyArray<Mutant>
  /** The first numbers of the next file. */
  readonly next: Numbering
}

/** The variables of an instrumented file; on the source's first line, so that line numbers stay. */
const header = "const __s=globalThis.__larderMutate,__c=__s.covered;"

interface Numbered extends Placement {
  readonly number: number
  /** The number of its first change. */
  readonly first: number
}

/** Numbers the placements in source order, each one before those inside it. */
const numbered = (
  placements: ReadonlyArray<Placement>,
  numbering: Numbering,
): ReadonlyArray<Numbered> => {
  let { mutant, placement } = numbering
  return placements.map((each) => {
    const result = { ...each, number: placement, first: mutant }
    placement += 1
    mutant += each.changes.length
    return result
  })
}

const wrapped = ({ changes, first, kind, number }: Numbered, inner: string): string => {
  if (changes.length === 0) return `{${inner}}`
  if (kind === "statement") return `{__c[${number}]=1;if(__s.active!==${first}){${inner}}}`
  const choices = changes
    .map(({ mutated }, index) => `__s.active===${first + index}?(${mutated}):`)
    .join("")
  return `(__c[${number}]=1,${choices}(${inner}))`
}

/** The source from `start` to `end`, with the placements inside that range. */
const rendered = (
  source: string,
  placements: ReadonlyArray<Numbered>,
  start: number,
  end: number,
): string => {
  let text = ""
  let at = start
  let index = 0
  while (index < placements.length) {
    const placement = placements[index]!
    let next = index + 1
    while (next < placements.length && placements[next]!.start < placement.end) next += 1
    const inside = placements.slice(index + 1, next)
    text += source.slice(at, placement.start)
    text += wrapped(placement, rendered(source, inside, placement.start, placement.end))
    at = placement.end
    index = next
  }
  return text + source.slice(at, end)
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").trim()

const mutantsOf = (
  file: string,
  source: string,
  placements: ReadonlyArray<Numbered>,
): ReadonlyArray<Mutant> => {
  const lines = source.split("\n")
  return placements.flatMap(({ changes, end, first, number, start }) => {
    const before = source.slice(0, start).split("\n")
    const original = oneLine(source.slice(start, end))
    return changes.map(({ mutated, operator }, index) => ({
      id: first + index,
      placement: number,
      file,
      line: before.length,
      column: before.at(-1)!.length + 1,
      operator,
      original,
      mutated: oneLine(mutated),
      text: lines[before.length - 1]!.trim(),
    }))
  })
}

/** Throws when `source` cannot be parsed. */
export const instrument = (file: string, source: string, numbering: Numbering): Instrumented => {
  const { errors, program } = parseSync(file, source, { lang: "ts" })
  if (errors.length > 0) throw new SyntaxError(`${file}: ${errors[0]!.message}`)
  const placements = numbered(placementsOf(program, source), numbering)
  const mutants = mutantsOf(file, source, placements)
  return {
    code: header + rendered(source, placements, 0, source.length),
    mutants,
    next: {
      mutant: numbering.mutant + mutants.length,
      placement: numbering.placement + placements.length,
    },
  }
}
