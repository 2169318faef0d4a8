/** One case as horizontal bars: medians, a whisker to p99, the ratio to the baseline. */
import type { Line, Result } from "../result.ts"
import { figure, label, times } from "./figures.ts"
import {
  byMedian,
  command,
  isBaseline,
  isLarder,
  machine,
  method,
  ratioOf,
  type Report,
  versions,
} from "./Report.ts"
import { forBars, type Scale } from "./scale.ts"
import { element, picture, text, widthOf, wrap } from "./svg.ts"

const width = 820
const margin = 20
const rowHeight = 22
const barHeight = 14
const headHeight = 24
const noteHeight = 15
const noteSize = 11
const columnWidth = 76

interface Column {
  readonly head: string
  readonly cell: (unit: Result["unit"], line: Line) => string
}

const columns: ReadonlyArray<Column> = [
  { head: "median", cell: (unit, { summary }) => figure(unit, summary.median) },
  { head: "p99", cell: (unit, { summary }) => figure(unit, summary.p99) },
  { head: "ratio", cell: (_, line) => times(ratioOf(line)) },
]
const barsEnd = width - margin - columns.length * columnWidth
const columnEnd = (column: number): number => barsEnd + (column + 1) * columnWidth

const top = 40

const nameOf = (line: Line): string =>
  isBaseline(line) ? `${line.contender} (baseline)` : line.contender

/** Where the bars begin, so that every name fits. */
const barsBegin = (results: ReadonlyArray<Result>): number => {
  const names = results.flatMap(({ lines }) => lines.map((line) => widthOf(nameOf(line), 12)))
  return margin + Math.max(...names) + 12
}

interface Axis {
  readonly scale: Scale
  readonly x: (value: number) => number
}

const axisOf = (results: ReadonlyArray<Result>): Axis => {
  const summaries = results.flatMap(({ lines }) => lines.map(({ summary }) => summary))
  const scale = forBars(
    Math.min(...summaries.map(({ median }) => median)),
    Math.max(...summaries.map(({ p99 }) => p99)),
  )
  const begin = barsBegin(results)
  return { scale, x: (value) => begin + scale.at(value) * (barsEnd - begin) }
}

const row = (unit: Result["unit"], line: Line, { scale, x }: Axis, top: number): string => {
  const { median, p99 } = line.summary
  const owner = isLarder(line) ? " larder" : ""
  const face = isLarder(line) ? "own" : "other"
  const middle = top + rowHeight / 2
  const baseline = middle + 4
  const begin = x(scale.from)
  const cap = { y1: middle - 4, y2: middle + 4, class: `whisker${owner}` }
  return element("g", {}, [
    text(nameOf(line), { x: begin - 8, y: baseline, class: `${face} figure` }),
    element("rect", {
      class: `bar${owner}`,
      x: begin,
      y: middle - barHeight / 2,
      width: Math.max(1, x(median) - begin),
      height: barHeight,
      rx: 2,
    }),
    element("line", { x1: x(median), x2: x(p99), ...cap, y1: middle, y2: middle }),
    element("line", { x1: x(p99), x2: x(p99), ...cap }),
    ...columns.map(({ cell }, column) =>
      text(cell(unit, line), { x: columnEnd(column), y: baseline, class: `${face} figure` }),
    ),
  ])
}

interface Block {
  readonly parts: ReadonlyArray<string>
  readonly bottom: number
}

/** One variant under its name. */
const block = (result: Result, axis: Axis, from: number): Block => {
  const lines = byMedian(result.lines)
  const rows = from + headHeight
  return {
    parts: [
      text(result.variant, { x: margin, y: rows - 7, class: "head" }),
      ...lines.map((line, index) => row(result.unit, line, axis, rows + index * rowHeight)),
    ],
    bottom: rows + lines.length * rowHeight + 4,
  }
}

const blocks = (results: ReadonlyArray<Result>, axis: Axis): ReadonlyArray<Block> =>
  results.reduce<Array<Block>>((above, result) => {
    above.push(block(result, axis, above.at(-1)?.bottom ?? top))
    return above
  }, [])

const grid = ({ scale, x }: Axis, bottom: number): ReadonlyArray<string> =>
  scale.ticks.map((tick) =>
    element("line", { x1: x(tick), x2: x(tick), y1: top + headHeight, y2: bottom, class: "grid" }),
  )

const axisLabels = ({ scale, x }: Axis, unit: string, y: number): ReadonlyArray<string> => [
  ...scale.ticks.map((tick) => text(label(tick), { x: x(tick), y, class: "note middle" })),
  text(scale.logarithmic ? `${unit}, logarithmic scale` : unit, {
    x: (x(scale.from) + barsEnd) / 2,
    y: y + noteHeight,
    class: "note middle",
  }),
]

const described = (results: ReadonlyArray<Result>): string =>
  results
    .map(({ lines, unit, variant }) => {
      const all = byMedian(lines).map(
        (line) => `${nameOf(line)} ${figure(unit, line.summary.median)}, ${times(ratioOf(line))}`,
      )
      return `${variant}: ${all.join("; ")}.`
    })
    .join(" ")

/** The report of one case. */
export const chart = (report: Report): string => {
  const { environment, results } = report
  const [first] = results
  if (first === undefined) throw new RangeError("a chart needs at least one result")
  const axis = axisOf(results)
  const all = blocks(results, axis)
  const bottom = all.at(-1)?.bottom ?? top
  const notes = [
    "Bar: median. Line: to p99. Ratio: of medians, to the baseline. Fastest first; shorter is faster.",
    machine(environment),
    versions(environment.versions),
    `${command(report)} (${method(report)})`,
  ].flatMap((note) => wrap(note, noteSize, width - 2 * margin))
  const firstNote = bottom + 3.5 * noteHeight + 4
  return picture({
    title: first.title,
    description: `Median times, fastest first. ${described(results)}`,
    width,
    height: firstNote + notes.length * noteHeight,
    content: [
      text(first.title, { x: margin, y: 28, class: "title" }),
      ...columns.map(({ head }, column) =>
        text(head, { x: columnEnd(column), y: top + headHeight - 7, class: "head figure" }),
      ),
      ...grid(axis, bottom),
      ...all.flatMap(({ parts }) => parts),
      ...axisLabels(axis, first.unit, bottom + noteHeight),
      ...notes.map((note, index) =>
        text(note, { x: margin, y: firstNote + index * noteHeight, class: "note" }),
      ),
    ],
  })
}
