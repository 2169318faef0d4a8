/** What code beside a larder may know of it: of the same object that the application has. */
import type { Observer } from "./eventHub.ts"

export interface LarderParts {
  readonly observer: Observer
  /** A key as the string of the events; undefined for an invalid key. */
  readonly keyOf: (key: unknown) => string | undefined
}

const parts = new WeakMap<object, LarderParts>()

export const setParts = <L extends object>(larder: L, of: LarderParts): L => {
  parts.set(larder, of)
  return larder
}

/** Undefined for a larder that was not made by this package. */
export const partsOf = (larder: object): LarderParts | undefined => parts.get(larder)
