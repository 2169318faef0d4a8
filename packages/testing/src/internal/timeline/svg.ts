/** A timeline as a picture: a line for each record, a lane for each node. */
import { laneWidth } from "../limits.ts"
import { type Kind, seconds } from "./describe.ts"
import { rowsOf, type Shown } from "./lanes.ts"

const rowHeight = 18
const top = 40
const timeColumn = 100
const laneColumn = laneWidth * 7 + 40

const colours: { readonly [K in Kind]: string } = {
  call: "#1f6feb",
  answer: "#1a7f37",
  stale: "#bf8700",
  failure: "#cf222e",
  lookup: "#8250df",
  lease: "#0a7ea4",
  note: "#57606a",
  other: "#8c959f",
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
}

/** XML has no control characters, not even escaped ones, except for three kinds of white space. */
const escaped = (text: string): string =>
  text
    .toWellFormed()
    // eslint-disable-next-line no-control-regex -- it replaces control characters
    .replaceAll(/[\u0000-\u001f\ufffe\uffff]/g, "\ufffd")
    .replaceAll(/[&<>"']/g, (character) => entities[character] ?? character)

const text = (x: number, y: number, content: string, attributes = ""): string =>
  `<text x="${x}" y="${y}"${attributes}>${escaped(content)}</text>`

export const svg = (shown: Shown): string => {
  const { began, nodes } = shown
  const rows = rowsOf(shown)
  const xOf = (node: string) => timeColumn + Math.max(0, nodes.indexOf(node)) * laneColumn
  const width = timeColumn + Math.max(1, nodes.length) * laneColumn
  const height = top + (rows.length + 1) * rowHeight
  const heads = nodes.flatMap((node) => [
    text(xOf(node) + 10, 24, node, ' font-weight="bold"'),
    `<line x1="${xOf(node)}" y1="${top - 8}" x2="${xOf(node)}" y2="${height}" stroke="#d0d7de"/>`,
  ])
  const lines = rows.flatMap(({ kind, record, text: content }, index) => {
    const x = xOf(record.node)
    const y = top + (index + 1) * rowHeight
    const short = content.length > laneWidth ? `${content.slice(0, laneWidth - 3)}...` : content
    return [
      text(timeColumn - 12, y, seconds(record.at - began), ' text-anchor="end" fill="#57606a"'),
      `<circle cx="${x}" cy="${y - 4}" r="4" fill="${colours[kind]}"/>`,
      `<g><title>${escaped(content)}</title>${text(x + 10, y, short)}</g>`,
    ]
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="ui-monospace, monospace" font-size="12">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    ...heads,
    ...lines,
    "</svg>",
  ].join("\n")
}
