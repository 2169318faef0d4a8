/** All cases in one picture: how Larder's median compares with the baseline's and with the fastest library's. */
import { label, times } from "./figures.ts"
import { logarithmic, type Scale } from "./scale.ts"
import type { Rival, Standing } from "./standing.ts"
import { element, picture, text, widthOf, wrap } from "./svg.ts"

const width = 900
const margin = 20
const rowHeight = 24
const top = 68
const noteHeight = 15
const noteSize = 11
const baselineHead = "to the baseline"
const peerHead = "to the fastest library"

const nameOf = ({ result }: Standing): string => `${result.case}, ${result.variant}`

const compared = ({ name, ratio }: Rival): string => `${times(ratio)} ${name}`

const rivalsOf = ({ baseline, peer }: Standing): ReadonlyArray<Rival> =>
  peer === undefined ? [baseline] : [baseline, peer]

const widest = (texts: ReadonlyArray<string>): number =>
  Math.max(...texts.map((content) => widthOf(content, 12)))

interface Layout {
  readonly scale: Scale
  readonly x: (ratio: number) => number
  /** Where the two columns of figures begin. */
  readonly baseline: number
  readonly peer: number
}

/** From the right: both columns, then the dots, then the names. Equality is always in sight. */
const layoutOf = (standings: ReadonlyArray<Standing>): Layout => {
  const ratios = standings.flatMap((one) => rivalsOf(one).map(({ ratio }) => ratio))
  const peers = standings.flatMap(({ peer }) => (peer === undefined ? [] : [compared(peer)]))
  const peer = width - margin - widest([peerHead, ...peers])
  const baseline =
    peer - 32 - widest([baselineHead, ...standings.map((one) => compared(one.baseline))])
  const begin = margin + widest(standings.map(nameOf)) + 16
  const scale = logarithmic(Math.min(0.5, ...ratios), Math.max(2, ...ratios))
  return { scale, x: (ratio) => begin + scale.at(ratio) * (baseline - 30 - begin), baseline, peer }
}

const row = (one: Standing, layout: Layout, y: number): string => {
  const { baseline, peer } = one
  const { scale, x } = layout
  const names = y + 4
  return element("g", {}, [
    text(nameOf(one), { x: x(scale.from) - 12, y: names, class: "figure" }),
    ...(peer === undefined
      ? []
      : [
          element("circle", { class: "peer", cx: x(peer.ratio), cy: y, r: 6.5 }),
          text(compared(peer), { x: layout.peer, y: names }),
        ]),
    // Above the ring, and smaller: both are seen where they meet.
    element("circle", { class: "dot", cx: x(baseline.ratio), cy: y, r: 4 }),
    text(compared(baseline), { x: layout.baseline, y: names }),
  ])
}

const grid = ({ scale, x }: Layout, bottom: number): ReadonlyArray<string> =>
  scale.ticks.map((tick) =>
    element("line", {
      x1: x(tick),
      x2: x(tick),
      y1: top - rowHeight / 2,
      y2: bottom,
      class: tick === 1 ? "one" : "grid",
    }),
  )

const heads = ({ baseline, peer, x }: Layout): ReadonlyArray<string> => {
  const y = top - rowHeight / 2 - 8
  return [
    element("circle", { class: "dot", cx: baseline - 10, cy: y - 4, r: 4 }),
    text(baselineHead, { x: baseline, y, class: "head" }),
    element("circle", { class: "peer", cx: peer - 12, cy: y - 4, r: 6.5 }),
    text(peerHead, { x: peer, y, class: "head" }),
    text("Larder faster", { x: x(1) - 8, y, class: "head figure" }),
  ]
}

const axisLabels = ({ scale, x }: Layout, bottom: number): ReadonlyArray<string> => [
  ...scale.ticks.map((tick) =>
    text(`${label(tick)}x`, { x: x(tick), y: bottom + noteHeight, class: "note middle" }),
  ),
  text("ratio of medians, logarithmic scale; further left is better for Larder", {
    x: (x(scale.from) + x(scale.to)) / 2,
    y: bottom + 2 * noteHeight,
    class: "note middle",
  }),
]

const described = (standings: ReadonlyArray<Standing>): string =>
  standings.map((one) => `${nameOf(one)}: ${rivalsOf(one).map(compared).join(", ")}.`).join(" ")

export const overview = (
  standings: ReadonlyArray<Standing>,
  facts: ReadonlyArray<string>,
): string => {
  const layout = layoutOf(standings)
  const bottom = top + (standings.length - 0.5) * rowHeight
  const title = "Larder's median time, as a multiple of another's"
  const notes = facts.flatMap((fact) => wrap(fact, noteSize, width - 2 * margin))
  const firstNote = bottom + 3.5 * noteHeight + 4
  return picture({
    title,
    description: `Below 1 Larder is faster. ${described(standings)}`,
    width,
    height: firstNote + notes.length * noteHeight,
    content: [
      text(title, { x: margin, y: 28, class: "title" }),
      ...heads(layout),
      ...grid(layout, bottom),
      ...standings.map((one, index) => row(one, layout, top + index * rowHeight)),
      ...axisLabels(layout, bottom),
      ...notes.map((note, index) =>
        text(note, { x: margin, y: firstNote + index * noteHeight, class: "note" }),
      ),
    ],
  })
}
