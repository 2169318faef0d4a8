/** Checks whether JSON text carries a value without loss. */

export interface NotJson {
  readonly path: string
  readonly what: string
}

const inside = (step: string, found: NotJson | undefined): NotJson | undefined =>
  found && { path: step + found.path, what: found.what }

/** Whether an object is no instance of a class. Also accepts plain objects of another realm. */
export const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

const notJsonObject = (value: object): NotJson | undefined => {
  if (!isPlain(value)) {
    return { path: "", what: `an instance of ${value.constructor?.name || "a class"}` }
  }
  for (const [name, member] of Object.entries(value)) {
    const found = inside(`[${JSON.stringify(name)}]`, notJson(member))
    if (found !== undefined) return found
  }
  return undefined
}

const notJsonArray = (value: ReadonlyArray<unknown>): NotJson | undefined => {
  for (let i = 0; i < value.length; i++) {
    const found = inside(`[${i}]`, notJson(value[i]))
    if (found !== undefined) return found
  }
  return undefined
}

/** The first part of a value that JSON text would lose or change. Ignores the sign of -0. */
export const notJson = (value: unknown): NotJson | undefined => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return undefined
    case "number":
      return Number.isFinite(value) ? undefined : { path: "", what: String(value) }
    case "object":
      if (value === null) return undefined
      return Array.isArray(value) ? notJsonArray(value) : notJsonObject(value)
    default:
      return { path: "", what: value === undefined ? "undefined" : `a ${typeof value}` }
  }
}
