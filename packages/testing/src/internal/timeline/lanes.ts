/** A timeline as text: a line for each record, a column for each node. */
import { lanesShown, laneWidth } from "../limits.ts"
import { lineOf, seconds } from "./describe.ts"
import type { Record } from "./record.ts"

export interface Shown {
  readonly records: ReadonlyArray<Record>
  /** When the timeline began, ms. */
  readonly began: number
  readonly nodes: ReadonlyArray<string>
  /** The record that a message is about. */
  readonly moment?: Record | undefined
}

const fit = (text: string): string =>
  text.length > laneWidth ? `${text.slice(0, laneWidth - 3)}...` : text

/** Names the larder where a timeline has several. */
export const rowsOf = ({ records }: Pick<Shown, "records">) => {
  const larders = new Set(records.flatMap((record) => ("larder" in record ? [record.larder] : [])))
  return records.flatMap((record) => {
    const line = lineOf(record)
    if (line === undefined) return []
    const of = larders.size > 1 && "larder" in record ? `${record.larder}: ` : ""
    return [{ record, kind: line.kind, text: `${of}${line.text}` }]
  })
}

const timeWidth = 14

export const lanes = (shown: Shown): string => {
  const { began, moment, nodes } = shown
  const rows = rowsOf(shown).map((row) => ({ ...row, text: fit(row.text) }))
  const widths = new Map(nodes.map((node) => [node, node.length]))
  for (const { record, text } of rows) {
    widths.set(record.node, Math.max(widths.get(record.node) ?? 0, text.length))
  }
  const line = (mark: string, time: string, cellOf: (node: string) => string) =>
    [
      `${mark} ${time.padStart(timeWidth)}`,
      ...nodes.map((node) => cellOf(node).padEnd(widths.get(node) ?? 0)),
    ]
      .join(" | ")
      .trimEnd()
  const head = line(" ", "", (node) => node)
  const body = rows.map(({ record, text }) =>
    line(record === moment ? ">" : " ", seconds(record.at - began), (node) =>
      node === record.node ? text : "",
    ),
  )
  return [head, ...body].join("\n")
}

/** A part of a timeline. Of many nodes, only those with a record in it have lanes. */
export const lanesOfPart = (part: Shown): string => {
  const { nodes, records } = part
  if (nodes.length <= lanesShown) return lanes(part)
  const named = new Set(records.map(({ node }) => node))
  return lanes({ ...part, nodes: nodes.filter((node) => named.has(node)) })
}
