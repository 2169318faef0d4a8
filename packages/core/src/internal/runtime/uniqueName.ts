/** The name or, if taken, the first free one of `name-2`, `name-3` and so on. */
export const uniqueName = (name: string, taken: ReadonlyArray<string>): string => {
  let unique = name
  for (let n = 2; taken.includes(unique); n += 1) unique = `${name}-${n}`
  return unique
}
