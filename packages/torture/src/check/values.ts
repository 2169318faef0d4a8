/**
 * Values come from a lookup or a `set` of their key, a refresh returns a new value, and no call has
 * a defect.
 */
import type { History } from "../history/History.ts"
import type { Violation } from "./Violation.ts"

export const values = (history: History): ReadonlyArray<Violation> => {
  const { larder } = history
  const isClosing = (session: string, at: number): boolean =>
    (history.sessions.get(session)?.closing ?? Infinity) <= at
  return history.reads.flatMap(({ by, ...read }): ReadonlyArray<Violation> => {
    const about = read.value ?? read.error ?? ""
    const common = { larder, key: read.key, at: read.begin, about, lines: [read] }
    if (read.defect === true) {
      const isExpected = read.error?.includes("LarderClosed") === true && isClosing(by.id, read.end)
      const text = `${by.node}'s ${read.op} died: ${read.error}`
      return isExpected ? [] : [{ ...common, rule: "defect", text }]
    }
    if (read.value === undefined) return []
    const origin = history.origins.get(read.value)
    if (origin?.key !== read.key || origin.failed || origin.begin > read.end) {
      const text = `${by.node} gave a value that was never looked up or set at this key`
      return [
        { ...common, rule: "value from nowhere", text, lines: [...(origin?.lines ?? []), read] },
      ]
    }
    if (read.op === "refresh" && origin.end !== undefined && origin.end < read.begin) {
      const text = `${by.node}'s refresh gave a value that was there before it began`
      return [
        { ...common, rule: "refresh gave an older value", text, lines: [...origin.lines, read] },
      ]
    }
    return []
  })
}

export const unhandled = (history: History): ReadonlyArray<Violation> =>
  history.unhandled.map((line) => ({
    rule: "unhandled",
    larder: "",
    key: undefined,
    at: line.at,
    text: `${line.node}: ${line.error}`,
    about: line.error,
    lines: [line],
  }))
