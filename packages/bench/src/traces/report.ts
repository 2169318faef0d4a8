/** The results of traces, as text. */
import { aligned } from "../table.ts"
import type { Figures } from "./figures.ts"

const heads = ["size", "OPT", "LRU", "Larder", "Larder - LRU", "reference", "goal", ""]

const percent = (ratio: number): string => ratio.toFixed(2)

const points = (difference: number): string =>
  `${difference < 0 ? "" : "+"}${difference.toFixed(2)}`

const row = ({ goal, larder, lru, met, opt, reference, size }: Figures): ReadonlyArray<string> => [
  size.toLocaleString("en"),
  percent(opt),
  percent(lru),
  percent(larder),
  points(larder - lru),
  reference === undefined ? "" : percent(reference),
  goal === undefined ? "" : `>= ${percent(goal)}`,
  met === undefined ? "" : met ? "met" : "MISSED",
]

/** One trace, one size per line. */
export const table = (name: string, title: string, figures: ReadonlyArray<Figures>): string =>
  [`${name}: ${title}`, ...aligned([heads, ...figures.map(row)], 0)].join("\n  ")

export const legend = `Hit ratios in %, from a cold start. OPT: Belady's limit. LRU: lru-cache. Larder - LRU: in points.
reference: a simulation of adaptive W-TinyLFU. goal: at most 2 points below LRU and 0.5
below the reference; on a loop a bit larger than the cache at least half of OPT.`
