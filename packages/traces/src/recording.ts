/** Turns the lines of a file into a trace, and counts the lines it skips. */
import * as Schema from "effect/Schema"
import { fieldsOf, type Format, formatOf, jsonLines } from "./formats.ts"
import { recorder, size, type Trace } from "./Trace.ts"

/** A file without a trace, with the remedy. */
export class InvalidTrace extends Schema.TaggedError<InvalidTrace>()("InvalidTrace", {
  file: Schema.String,
  reason: Schema.String,
  remedy: Schema.String,
}) {
  override get message(): string {
    return `${this.file} cannot be replayed: ${this.reason}. ${this.remedy}`
  }
}

export interface Recording {
  readonly trace: Trace
  /** The name of the format of the lines. */
  readonly format: string
  /** Lines that the format cannot parse. They are skipped. */
  readonly unreadable: number
  readonly firstUnreadable: number | undefined
  /**
   * Requests that no cache answers: those in an access log other than GET or HEAD. They are
   * skipped.
   */
  readonly noReads: number
}

/** The supported formats, as text. */
export const formats =
  "an access log in Common or Combined Log Format, JSON lines with the field that holds the key, or one key per line; gzipped or not"

export const remedy = `Give ${formats}.`

/** How many lines decide the format of a file. */
const sampleLines = 100

interface Line {
  readonly text: string
  readonly number: number
}

export interface Reader {
  /** Throws {@link InvalidTrace} when the format is unclear. */
  readonly take: (text: string, number: number) => void
  /** Throws {@link InvalidTrace} when no line was readable. */
  readonly end: () => Recording
}

/**
 * `field`: for JSON lines, the field with the key. Without it the first lines decide the format.
 */
export const reader = (file: string, field: string | undefined): Reader => {
  const { add, trace } = recorder<string>()
  const undecided: Array<Line> = []
  let format: Format | undefined = field === undefined ? undefined : jsonLines(field)
  let unreadable = 0
  let firstUnreadable: number | undefined
  let noReads = 0

  const parse = ({ parse }: Format, { number, text }: Line): void => {
    const parsed = parse(text)
    if (parsed._tag === "Read") add(parsed.key)
    else if (parsed._tag === "NoRead") noReads++
    else {
      unreadable++
      firstUnreadable ??= number
    }
  }

  const decide = (): Format => {
    const texts = undecided.map(({ text }) => text)
    const fields = fieldsOf(texts)
    if (fields !== undefined) {
      throw new InvalidTrace({
        file,
        reason: "it holds JSON lines, and no field is named",
        remedy: `Name the field that holds the key with --field NAME: one of ${fields.join(", ")}.`,
      })
    }
    const decided = formatOf(texts)
    for (const line of undecided) parse(decided, line)
    return decided
  }

  return {
    take: (text, number) => {
      if (format !== undefined) return parse(format, { text, number })
      undecided.push({ text, number })
      if (undecided.length === sampleLines) format = decide()
    },
    end: () => {
      format ??= decide()
      const read = trace()
      if (read.requests.length > 0) {
        return { trace: read, format: format.name, unreadable, firstUnreadable, noReads }
      }
      const lines = unreadable + noReads
      const reason =
        lines === 0 ? "it is empty" : `none of its ${lines} lines can be read as ${format.name}`
      throw new InvalidTrace({ file, reason, remedy })
    },
  }
}

const counted = (count: number, one: string, more: string): string =>
  `${count.toLocaleString("en")} ${count === 1 ? one : more}`

/** The counts of read and skipped lines, as one line of text. */
export const described = (recording: Recording): string => {
  const { firstUnreadable, format, noReads, trace, unreadable } = recording
  const parts = [`${size(trace)} (${format})`]
  if (unreadable > 0) {
    const lines = counted(unreadable, "unreadable line", "unreadable lines")
    parts.push(`${lines} left out, the first is line ${firstUnreadable}`)
  }
  if (noReads > 0) {
    parts.push(`${counted(noReads, "request", "requests")} other than GET and HEAD left out`)
  }
  return parts.join("; ")
}
