/** Instruments the files of a run one after the other. */
import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import { firstNumbers, instrument } from "./instrument.ts"
import type { Mutant } from "./mutant.ts"

export interface Program {
  /** The instrumented code of each file, by its absolute path. */
  readonly code: ReadonlyMap<string, string>
  readonly mutants: ReadonlyArray<Mutant>
  /** The number of placements. */
  readonly placements: number
}

/** The same files in the same order get the same numbers in every process. */
export const instrumentAll = (root: string, files: ReadonlyArray<string>): Program => {
  const code = new Map<string, string>()
  const mutants: Array<Mutant> = []
  let numbering = firstNumbers
  for (const file of files) {
    const path = resolve(root, file)
    const instrumented = instrument(file, readFileSync(path, "utf8"), numbering)
    code.set(path, instrumented.code)
    mutants.push(...instrumented.mutants)
    numbering = instrumented.next
  }
  return { code, mutants, placements: numbering.placement }
}
