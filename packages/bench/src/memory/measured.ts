/** `pnpm bench --memory`: what an entry takes, and the time per hit and per new key. */
import { figuresOf, runRounds } from "../child.ts"
import { environment } from "../environment.ts"
import { type Compared, type Result, result, type Rounds } from "../result.ts"
import { stores } from "../stores.ts"
import { heading, legend, table } from "../table.ts"
import type { Figures } from "./round.ts"

/** A number of entries that mostly fits a processor's cache, and one that does not. */
const sizes = [100_000, 1_000_000]

/** The most bytes per entry that Larder may use beyond key and value, as an entrant of its own. */
const mostBytes = { name: "95 B", bytes: 95 }

const inMemory = { entrants: [{ name: "larder" }, { name: "lru-cache" }], baseline: "lru-cache" }

const bytes: Compared = {
  ...inMemory,
  name: "bytes",
  title: "an entry beyond its key and value, bytes",
  entrants: [...inMemory.entrants, mostBytes],
  goals: [{ entrant: "larder", than: mostBytes.name, ratio: 1 }],
  unit: "B",
}

const hit: Compared = {
  ...inMemory,
  name: "hit",
  title: "a hit, evenly over all keys, ns",
  goals: [{ entrant: "larder", than: "lru-cache", ratio: 1.5 }],
  unit: "ns",
}

const set: Compared = {
  ...inMemory,
  name: "set",
  title: "a new key into a full store, ns",
  goals: [],
  unit: "ns",
}

/** One result for each figure. */
export const resultsOf = (
  variant: string,
  rounds: ReadonlyMap<string, ReadonlyArray<Figures>>,
): ReadonlyArray<Result> => {
  const all = [...rounds]
  const of = (figure: keyof Figures): Rounds =>
    new Map(all.map(([name, own]) => [name, own.map((round) => round[figure])]))
  const most = all[0]![1].map(() => [mostBytes.bytes])
  return [
    result(bytes, variant, new Map([...of("bytes"), [mostBytes.name, most]])),
    result(hit, variant, of("hit")),
    result(set, variant, of("set")),
  ]
}

export const run = async (rounds: number): Promise<void> => {
  console.log([heading(environment(["@larder/core", "lru-cache"])), legend(rounds)].join("\n"))
  for (const entries of sizes) {
    const results: Array<Result> = []
    for (const [variant, contenders] of Object.entries(stores)) {
      const title = `${entries} entries, ${variant}`
      const measured = await runRounds(title, Object.keys(contenders), rounds, (name) =>
        figuresOf<Figures>("./memory/round.ts", [variant, name, String(entries)], ["--expose-gc"]),
      )
      results.push(...resultsOf(variant, measured))
    }
    console.log(`\n${entries.toLocaleString("en")} entries\n\n${table(results)}`)
  }
}
