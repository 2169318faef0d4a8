/**
 * The figures in the table of questions of docs/observing.md, which are those of one run of the demo:
 * `pnpm demo --figures --nodes 3 --rate 60 --capacity 300 | node docs/scripts/figures.ts` brings them up to date.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import { figures } from "../../examples/shop/src/figures.ts"

const page = fileURLToPath(new URL("../observing.md", import.meta.url))

/** The cells of each row of the table between two marks, without its head. */
const rowsBetween = (
  text: string,
  begin: string,
  end: string,
): ReadonlyArray<ReadonlyArray<string>> => {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`the page has no table after ${begin}`)
  return text
    .slice(from, to)
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .slice(2)
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}

/** The table of questions. */
export const rowsOf = (text: string): ReadonlyArray<ReadonlyArray<string>> =>
  rowsBetween(text, "<!-- figures: ", "<!-- end of figures -->")

/** The questions of writing behind, which have no figure: the demo writes nothing behind. */
export const rowsOfWritingBehind = (text: string): ReadonlyArray<ReadonlyArray<string>> =>
  rowsBetween(
    text,
    "<!-- questions of writing behind -->",
    "<!-- end of the questions of writing behind -->",
  )

/** The figure of a question in what the demo said. */
const figureIn = (said: string, question: string): string => {
  const line = said.split("\n").find((each) => each.startsWith(`${question}  `))
  if (line === undefined) throw new Error(`the demo said nothing to: ${question}`)
  return line.slice(question.length).trim()
}

/** The page with the figures that the demo said; the formatter pads the cells. */
export const withFigures = (text: string, said: string): string =>
  text
    .split("\n")
    .map((line) => {
      const question = figures.find((each) => line.startsWith(`| ${each.question} `))?.question
      if (question === undefined) return line
      const [, ...cells] = line.split(" | ").slice(1)
      return [`| ${question}`, figureIn(said, question), ...cells].join(" | ")
    })
    .join("\n")

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const said = await text(process.stdin)
  writeFileSync(page, withFigures(readFileSync(page, "utf8"), said))
}
