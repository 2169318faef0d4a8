/** `pnpm bench:memory`: see options.ts for its command line. */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import * as command from "../command.ts"
import { environment } from "../environment.ts"
import { heading } from "../table.ts"
import { writeJson } from "../writeJson.ts"
import type { Churn } from "./churn.ts"
import { type ContenderName, contenderNames } from "./contenders.ts"
import { type Draw, draws } from "./hits.ts"
import { type CaseName, options, type Options, usage } from "./options.ts"
import { bytesTable, churnTable, hitsTable, legend, type Seen } from "./report.ts"
import { hitEntries } from "./scale.ts"

const roundScript = fileURLToPath(new URL("./round.ts", import.meta.url))

/** Figures of a process of its own; its standard error is part of the rejection. */
const round = async <A>(args: ReadonlyArray<string>): Promise<A> => {
  process.stderr.write(`${args.join(" ")}\n`)
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--expose-gc",
    roundScript,
    ...args,
  ])
  return JSON.parse(stdout)
}

/** All rounds, contenders in turn. */
const rounds = async <A>(
  count: number,
  args: (name: ContenderName) => ReadonlyArray<string>,
): Promise<Seen<ReadonlyArray<A>>> => {
  const seen = new Map(contenderNames.map((name): [ContenderName, Array<A>] => [name, []]))
  for (let done = 0; done < count; done++) {
    for (const [name, figures] of seen) figures.push(await round<A>(args(name)))
  }
  return seen
}

interface Measured {
  readonly case: CaseName
  readonly variant: string
  readonly table: string
  readonly figures: Readonly<Record<string, unknown>>
}

const bytes = async (): Promise<Measured> => {
  const seen = await rounds<number>(1, (name) => ["bytes", name])
  const single = new Map([...seen].map(([name, figures]) => [name, figures[0]!]))
  return {
    case: "bytes",
    variant: "",
    table: bytesTable(single),
    figures: Object.fromEntries(single),
  }
}

const churn = async (count: number): Promise<Measured> => {
  const seen = await rounds<Churn>(count, (name) => ["churn", name])
  return { case: "churn", variant: "", table: churnTable(seen), figures: Object.fromEntries(seen) }
}

const hits = async (count: number, entries: number, draw: Draw): Promise<Measured> => {
  const seen = await rounds<ReadonlyArray<number>>(count, (name) => [
    "hits",
    name,
    String(entries),
    draw,
  ])
  const variant = `${entries.toLocaleString("en-US")} entries, ${draw}`
  const figures = Object.fromEntries(seen)
  return { case: "hits", variant, table: hitsTable(variant, seen), figures }
}

const measurements = (name: CaseName, count: number): ReadonlyArray<() => Promise<Measured>> => {
  if (name === "bytes") return [bytes]
  if (name === "churn") return [() => churn(count)]
  return hitEntries.flatMap((entries) => draws.map((draw) => () => hits(count, entries, draw)))
}

const main = async (chosen: Options): Promise<void> => {
  const place = environment(["@larder/core", "lru-cache"])
  console.log([heading(place), legend].join("\n"))
  const all: Array<Measured> = []
  for (const measure of chosen.cases.flatMap((name) => measurements(name, chosen.rounds))) {
    const measured = await measure()
    all.push(measured)
    console.log(`\n${measured.table}`)
  }
  if (chosen.json !== undefined) {
    const results = all.map(({ table: _, ...figures }) => figures)
    const report = { environment: place, rounds: chosen.rounds, results }
    writeJson(chosen.json, report)
  }
}

await command.run(usage, options, main)
