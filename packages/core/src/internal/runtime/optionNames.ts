/**
 * Checks the names of the options in an object. Without the check a misspelt option is ignored: the
 * default holds, and nothing says so.
 */
import { shownCharacters } from "./limits.ts"
import { reasonOf } from "./shownValue.ts"

/** A member for each option of `O`. The compiler keeps it complete. */
export type NamesOf<O> = Readonly<Record<O extends unknown ? keyof O : never, true>>

export type Names = Readonly<Record<string, true>>

/** An option with a mistake, and the text of the error about it. */
export interface Mistake {
  readonly field: string
  readonly reason: string
}

/** Whether something may have options: an object that is no array. */
export const areOptions = (got: unknown): got is object =>
  typeof got === "object" && got !== null && !Array.isArray(got)

/**
 * The mistake in options that are not an object, or of which one has an unknown name; undefined for
 * valid ones. An option whose value is undefined counts as left out. `within` is the option whose value
 * the object is; empty for the options themselves.
 */
export const mistakeIn = (got: unknown, names: Names, within = ""): Mistake | undefined => {
  if (!areOptions(got)) {
    const field = within === "" ? "options" : within
    return { field, reason: reasonOf(`be an object with ${listed(names)}`, got) }
  }
  for (const name of Object.keys(got)) {
    if (Object.hasOwn(names, name) || got[name as keyof typeof got] === undefined) continue
    const field = within === "" ? name : `${within}.${name}`
    return { field, reason: `is an unknown option; ${remedy(name, names)}` }
  }
  return undefined
}

const remedy = (name: string, names: Names): string => {
  const near = nearestName(name, Object.keys(names))
  return near === undefined ? `the options are ${listed(names)}` : `did you mean \`${near}\`?`
}

/** The known names in a sentence; not those of internal members. */
const listed = (names: Names): string => {
  const all = Object.keys(names).filter((name) => !name.startsWith("~"))
  return all.length === 1 ? all[0]! : `${all.slice(0, -1).join(", ")} and ${all.at(-1)}`
}

/** The known name that differs in the fewest letters, if these are at most a third of the name. */
export const nearestName = (name: string, known: ReadonlyArray<string>): string | undefined => {
  if (name.length > shownCharacters) return undefined
  const [best] = known
    .map((each) => ({ each, edits: editsBetween(name.toLowerCase(), each.toLowerCase()) }))
    .filter(({ each, edits }) => edits <= Math.max(1, Math.floor(each.length / 3)))
    .toSorted((one, other) => one.edits - other.edits)
  return best?.each
}

/** How many letters must be added, left out or replaced (Levenshtein). */
const editsBetween = (one: string, other: string): number => {
  let row = Array.from({ length: other.length + 1 }, (_, i) => i)
  for (const [i, letter] of [...one].entries()) {
    const next = [i + 1]
    for (let j = 0; j < other.length; j += 1) {
      const replaced = row[j]! + (letter === other[j] ? 0 : 1)
      next.push(Math.min(replaced, row[j + 1]! + 1, next[j]! + 1))
    }
    row = next
  }
  return row.at(-1)!
}
