/** What traces showed, as text. */
import { aligned } from "../aligned.ts"
import type { Figures, Replayed } from "./figures.ts"

const heads = ["size", "OPT", "LRU", "Larder", "Larder - LRU", "reference", "goal", ""]

const count = (n: number): string => n.toLocaleString("en-US")

const percent = (ratio: number): string => ratio.toFixed(2)

const points = (difference: number): string =>
  `${difference < 0 ? "" : "+"}${difference.toFixed(2)}`

const row = ({ goal, larder, lru, met, opt, reference, size }: Figures): ReadonlyArray<string> => [
  count(size),
  percent(opt),
  percent(lru),
  percent(larder),
  points(larder - lru),
  reference === undefined ? "" : percent(reference),
  goal === undefined ? "" : `>= ${percent(goal)}`,
  met === undefined ? "" : met ? "met" : "MISSED",
]

/** One trace, a size in each line. */
export const table = ({ keys, requests, sizes, title, trace }: Replayed): string => {
  const text = aligned([heads, ...sizes.map(row)], 0)
  return [
    `${trace}: ${title}`,
    `  ${count(requests)} requests for ${count(keys)} keys`,
    ...text.map((line) => `  ${line}`),
  ].join("\n")
}

export const legend = `Hit ratios in %, from a cold start. OPT: Belady's limit. LRU: lru-cache. Larder - LRU: in points.
reference: a simulation of adaptive W-TinyLFU. goal: at most 2 points below LRU and 0.5
below the reference; on a loop a bit larger than the cache at least half of OPT.`

/** How many goals were met, and where Larder is furthest below LRU and furthest above it. */
export const summary = (all: ReadonlyArray<Replayed>): string => {
  const lines = all
    .flatMap(({ sizes, trace }) => sizes.map((figures) => ({ trace, figures })))
    .toSorted((a, b) => a.figures.larder - a.figures.lru - (b.figures.larder - b.figures.lru))
  const verdicts = lines.flatMap(({ figures }) => figures.met ?? [])
  const met = verdicts.filter(Boolean).length
  const named = ({ figures, trace }: (typeof lines)[number]) =>
    `${points(figures.larder - figures.lru)} (${trace}, ${count(figures.size)})`
  return `${met} of ${verdicts.length} goals met. Larder - LRU: from ${named(lines[0]!)} to ${named(lines.at(-1)!)}.`
}
