/** The larders that a layer watches: some, or all of the process. */
import { InvalidOptions } from "../../InvalidOptions.ts"

/** The names of the given larders; undefined for all. Throws `InvalidOptions` of this module. */
export const namesOf = (module: string, larders: unknown): ReadonlySet<string> | undefined => {
  if (larders === undefined) return undefined
  if (Array.isArray(larders)) return new Set(larders.map((one) => nameOf(module, one)))
  throw invalid(module, "be an array of names or larders, or be left out for all", larders)
}

const nameOf = (module: string, larder: unknown): string => {
  const name = typeof larder === "string" ? larder : (larder as { name?: unknown } | null)?.name
  if (typeof name === "string" && name.trim() !== "") return name
  throw invalid(module, "be names or larders, or be left out for all larders", larder)
}

const invalid = (module: string, must: string, got: unknown): InvalidOptions =>
  InvalidOptions.of({ module, field: "larders", must, got })
