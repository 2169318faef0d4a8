/** The table, the findings in plain sentences, and whether the outage cost a customer anything. */
import { Schema } from "effect"
import type { Book, Figures, Ledger } from "./ledger.ts"
import { type Phase, phases } from "./phases.ts"

export interface Result {
  readonly name: string
  readonly book: Book
  /** How long another node of the shop had old prices after the change, in ms, if it was watched. */
  readonly otherNode?: number | undefined
}

/** How long after the settled price change each node of a shop had all new prices, in ms. */
export interface Spread {
  readonly shop: string
  /** A node for each; undefined for a node that still had an old price at the end. */
  readonly millis: ReadonlyArray<number | undefined>
}

/**
 * Nearest rank: the lowest value with at least this share of the ascending values at or below it.
 */
export const percentile = (ascending: ReadonlyArray<number>, share: number): number | undefined =>
  ascending[Math.max(0, Math.ceil(share * ascending.length) - 1)]

const whole = (n: number): string => n.toLocaleString("en")
const millis = (n: number | undefined): string =>
  n === undefined ? "-" : n < 100 ? n.toFixed(1) : whole(Math.round(n))
const percent = (part: number, of: number): string =>
  of === 0 ? "-" : `${((100 * part) / of).toFixed(1)} %`

/** The share of shown product pages for which the customer waited for a lookup. */
const waitedFor = ({ fresh, missing, stale }: Figures): string =>
  percent(missing, fresh + stale + missing)

/** Lookups that a shop saved, compared with one for every request. */
export const avoided = ({ lookups, requests }: Figures): number => Math.max(0, requests - lookups)

const columns: ReadonlyArray<
  readonly [title: string, width: number, cell: (figures: Figures) => string]
> = [
  ["requests", 9, (of) => whole(of.requests)],
  ["p50 ms", 8, (of) => millis(percentile(of.latencies, 0.5))],
  ["p99 ms", 8, (of) => millis(percentile(of.latencies, 0.99))],
  ["fresh", 9, (of) => percent(of.fresh, of.fresh + of.stale + of.missing)],
  ["stale", 9, (of) => percent(of.stale, of.fresh + of.stale + of.missing)],
  ["missing", 9, waitedFor],
  ["lookups", 9, (of) => whole(of.lookups)],
  ["avoided", 9, (of) => whole(avoided(of))],
  ["failed", 8, (of) => whole(of.failed)],
  ["seen", 7, (of) => whole(of.failedSeen)],
]

const row = (phase: string, shop: string, cells: ReadonlyArray<string>): string =>
  [phase.padEnd(13), shop.padEnd(10), ...cells.map((cell, at) => cell.padStart(columns[at]![1]))]
    .join(" ")
    .trimEnd()

const legend = `
requests  the same to each shop; one in ten is a listing page of eight products
p50, p99  from the moment the request was due to its answer; failures are left out
fresh...  product pages shown: from fresh cache, from stale cache, or missing there and waited for
lookups   requests sent to the catalogue, second tries included; avoided: against one for each request
failed    requests that failed for the customer; seen: of those, the ones with a product shown before`.slice(
  1,
)

export const table = (results: ReadonlyArray<Result>): string => {
  const head = row(
    "phase",
    "shop",
    columns.map(([title]) => title),
  )
  const body = phases.flatMap((phase) => [
    "",
    ...results.map(({ book, name }, at) =>
      row(
        at === 0 ? phase : "",
        name,
        columns.map(([, , cell]) => cell(book[phase])),
      ),
    ),
  ])
  return [head, "-".repeat(head.length), ...body.slice(1), "", legend].join("\n")
}

const sum = (book: Book, of: (figures: Figures) => number): number =>
  phases.reduce((sum, phase) => sum + of(book[phase]), 0)

const steps: ReadonlyArray<
  readonly [title: string, width: number, cell: (result: Result) => string]
> = [
  ["p50 ms", 8, ({ book }) => millis(percentile(allLatencies(book), 0.5))],
  ["p99 ms", 8, ({ book }) => millis(percentile(allLatencies(book), 0.99))],
  ["slow p50", 9, ({ book }) => millis(percentile(book.slow.latencies, 0.5))],
  ["lookups", 9, ({ book }) => whole(sum(book, (of) => of.lookups))],
  ["restart", 9, ({ book }) => whole(book.restart.lookups)],
  ["failed", 8, ({ book }) => whole(sum(book, (of) => of.failed))],
  ["outage", 8, ({ book: { outage } }) => percent(outage.failed, outage.requests)],
  ["seen", 7, ({ book }) => whole(book.outage.failedSeen)],
  ["2nd node", 10, ({ otherNode }) => delay(otherNode)],
]

const allLatencies = (book: Book): ReadonlyArray<number> =>
  phases.flatMap((phase) => book[phase].latencies).toSorted((a, b) => a - b)

const step = (name: string, cells: ReadonlyArray<string>): string =>
  [name.padEnd(26), ...cells.map((cell, at) => cell.padStart(steps[at]![1]))].join(" ").trimEnd()

/** A row for each step, all phases together. */
export const ladder = (results: ReadonlyArray<Result>): string => {
  const head = step(
    "step",
    steps.map(([title]) => title),
  )
  const rows = results.map((result) =>
    step(
      result.name,
      steps.map(([, , cell]) => cell(result)),
    ),
  )
  return [head, "-".repeat(head.length), ...rows, "", ladderLegend].join("\n")
}

const ladderLegend = `
p50, p99  of all answers, from the moment the request was due; slow p50: while the catalogue was slow
lookups   requests sent to the catalogue, second tries included; restart: those in the phase after one
failed    requests that failed for the customer; outage: their share of that phase; seen: of those in it,
          the ones with a product that this shop had shown before
2nd node  another node of the shop, told nothing itself: from the settled price change until its last old price`.slice(
  1,
)

/** The requirements of a step that are not met. */
export const missing = ({ redis }: { readonly redis: string | undefined }): ReadonlyArray<string> =>
  redis === undefined
    ? [
        "There are no steps with Redis: give the address of a server, --redis redis://127.0.0.1:6379.",
      ]
    : []

/** A delay for people: two digits that matter. */
const delay = (millis: number | undefined): string => {
  if (millis === undefined) return "-"
  return millis < 1_000 ? `${millis.toFixed(0)} ms` : `${(millis / 1_000).toFixed(2)} s`
}

/** How long each node took to show all new prices; empty without nodes. */
export const spreads = (all: ReadonlyArray<Spread>): ReadonlyArray<string> => {
  const [first] = all
  if (first === undefined) return []
  const line = (name: string, cells: ReadonlyArray<string>): string =>
    `  ${name.padEnd(10)}${cells.map((cell) => cell.padStart(9)).join("")}`
  return [
    `${first.millis.length} nodes, each a process; the news of the price change reaches node 1 alone. From its settled change until all`,
    "products that a node reads again and again have their new price:",
    line(
      "",
      first.millis.map((_, at) => `node ${at + 1}`),
    ),
    ...all.map(({ millis, shop }) => line(shop, millis.map(delay))),
  ]
}

const list = (parts: ReadonlyArray<string>): string =>
  parts.length < 2 ? parts.join() : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`

const compared = (ours: number, theirs: number): string => {
  if (ours === theirs) return "as many as"
  const difference = theirs === 0 ? "" : `${Math.abs(100 - (100 * ours) / theirs).toFixed(0)} % `
  return `${difference}${ours < theirs ? "fewer" : "more"} than`
}

const lastOldPrice = ({ lastOldPriceMillis, oldPrices }: Figures): string =>
  oldPrices === 0 ? "not at all" : `until ${(lastOldPriceMillis / 1_000).toFixed(2)} s after it`

/** The findings from the figures. All shops are compared with the last one. */
export const findings = (results: ReadonlyArray<Result>): ReadonlyArray<string> => {
  const last = results.at(-1)
  if (last === undefined) return []
  const each = (say: (book: Book) => string) =>
    list(results.map(({ book, name }) => `${name} ${say(book)}`))
  const lookups = sum(last.book, (of) => of.lookups)
  const others = results.slice(0, -1).map(
    ({ book, name }) =>
      `${compared(
        lookups,
        sum(book, (of) => of.lookups),
      )} ${name}`,
  )
  const turnedAway = results.filter(({ book }) => sum(book, (of) => of.turnedAway) > 0)
  return [
    `Requests that failed in the outage: ${each(({ outage }) => percent(outage.failed, outage.requests))}; ` +
      `for pages the shop had shown before: ${each(({ outage }) => whole(outage.failedSeen))}.`,
    `Half of the answers while the catalogue was slow came within: ${each(({ slow }) => `${millis(percentile(slow.latencies, 0.5))} ms`)}.`,
    `Lookups in all: ${each((book) => whole(sum(book, (of) => of.lookups)))}; that is for ${last.name} ${list(others)}.`,
    `Product pages that had to wait for the catalogue when nothing was in memory, at first: ${each(({ cold }) => waitedFor(cold))}; after a restart: ${each(({ restart }) => waitedFor(restart))}.`,
    `Old prices were asked for and shown after the price change: ${each((book) => lastOldPrice(book["price change"]))}.`,
    ...turnedAway.map(
      ({ book, name }) =>
        `${name} turned ${whole(sum(book, (of) => of.turnedAway))} requests away, too many being in flight: raise --in-flight, or lower --rate.`,
    ),
  ]
}

/** The pages that failed in the outage although this shop had shown them before. */
export const costOfOutage = ({ book }: Result): ReadonlyArray<number> =>
  Array.from(new Set(book.outage.pagesLost)).toSorted((a, b) => a - b)

export class OutageCostCustomers extends Schema.TaggedError<OutageCostCustomers>()(
  "OutageCostCustomers",
  { shop: Schema.String, pages: Schema.Array(Schema.Int) },
) {
  override get message(): string {
    const first = this.pages.slice(0, 20).join(", ")
    const more = this.pages.length > 20 ? `, and ${this.pages.length - 20} more` : ""
    return `${this.shop} failed customers in the outage on ${this.pages.length} pages it had shown before: ${first}${more}`
  }
}

/** The phases and their lengths in words. */
export const lengths = (of: {
  readonly phaseSeconds: number
  readonly outageSeconds: number | undefined
}): string => {
  const all = `${phases.length} phases of ${of.phaseSeconds} s`
  return of.outageSeconds === undefined ? all : `${all}, the outage of ${of.outageSeconds} s`
}

/** One line while it runs. */
export const progress = (
  at: { readonly phase: Phase; readonly elapsedMillis: number; readonly totalMillis: number },
  lanes: ReadonlyArray<{ readonly name: string; readonly ledger: Ledger }>,
): string => {
  const time = `${(at.elapsedMillis / 1_000).toFixed(1).padStart(4)}/${(at.totalMillis / 1_000).toFixed(0)} s`
  const failing = lanes.map(({ ledger, name }) => {
    const { failed, requests } = ledger.peek(at.phase)
    return `${name} ${percent(failed, requests)}`
  })
  const requests = lanes[0]?.ledger.peek(at.phase).requests ?? 0
  return `${time} ${at.phase.padEnd(12)} ${failing.join(", ")} failed of ${whole(requests)}`
}

/**
 * Wraps the text at spaces to lines of at most this many characters, and indents all but the first.
 */
export const wrap = (text: string, width = 118): string =>
  (text.match(new RegExp(`\\S.{0,${width - 3}}(?= |$)`, "g")) ?? []).join("\n  ")
