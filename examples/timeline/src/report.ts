/** What readers saw, and pushing compared with pulling, as text. */
import { quantile } from "./measure.ts"
import type { Outcome, Seen } from "./scenario.ts"

const quoteOf = ({ author, text }: { readonly author: string; readonly text: string }) =>
  `${author}: "${text}"`

/** One line for each reader at each moment. */
export const story = (seen: ReadonlyArray<Seen>): ReadonlyArray<string> =>
  seen.flatMap(({ posts, when, who }, at) => {
    const shown = posts.map((post) =>
      post.quoted === undefined ? quoteOf(post) : `${quoteOf(post)} (on ${quoteOf(post.quoted)})`,
    )
    const title = seen[at - 1]?.when === when ? [] : [`${when}:`]
    return [...title, `  ${who} sees ${shown.join("; ")}`]
  })

const columns = [
  "",
  "seen by the author",
  "by followers: half",
  "all",
  "write: queries",
  "trips",
  "ms",
  "100 reads: queries",
  "trips",
  "ms",
  "gone",
]

const millis = (value: number) => `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`
const plain = (value: number) => value.toFixed(value < 10 ? 1 : 0)

const nameOf = (pushLimit: number, followers: number) => {
  if (pushLimit === 0) return "pull"
  return pushLimit >= followers ? "push" : `push to ${pushLimit}, pull`
}

const rowOf = (outcome: Outcome, followers: number): ReadonlyArray<string> => {
  const { pushLimit, readers, reads, toAuthor, toFollowers, toGone, write } = outcome
  const per100 = (value: number) => plain((value * 100) / readers)
  return [
    nameOf(pushLimit, followers),
    millis(toAuthor),
    millis(quantile(toFollowers, 0.5)),
    millis(quantile(toFollowers, 1)),
    plain(write.queries),
    plain(write.trips),
    plain(write.millis),
    per100(reads.queries),
    per100(reads.trips),
    per100(reads.millis),
    millis(toGone),
  ]
}

/** A row for each way; the lines of a table in Markdown. */
export const table = (
  outcomes: ReadonlyArray<Outcome>,
  followers: number,
): ReadonlyArray<string> => {
  const rows = [columns, ...outcomes.map((outcome) => rowOf(outcome, followers))]
  const widths = columns.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const line = (row: ReadonlyArray<string>) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd()
  return rows.map(line)
}

export const legend: ReadonlyArray<string> = [
  "seen: from the call that publishes to the moment at which a reader on the other node sees the post",
  "write: publishing and pushing one post; 100 reads: of timelines right after it, by as many followers",
  "queries: to the source; trips: steps of all larders in the tier that the nodes share",
  "gone: from the call that deletes to the moment at which no reader sees the post",
]
