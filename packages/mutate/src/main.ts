/** `pnpm mutate`: finds changes of the source that no test notices. */
import { existsSync, readFileSync } from "node:fs"
import { resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { UsageError } from "./command.ts"
import { type Options, options, usage } from "./options.ts"
import { explain, InvalidExplanation, parse } from "./report/explained.ts"
import { figures } from "./report/figures.ts"
import { write } from "./report/json.ts"
import { shown, silent } from "./report/progress.ts"
import { type Report, text } from "./report/text.ts"
import { CampaignFailed, run } from "./run/campaign.ts"
import { groupOf } from "./run/groups.ts"
import { sample } from "./run/sample.ts"
import { targets, testFiles } from "./run/targets.ts"
import { make, WorkerFailed, type Workers } from "./run/workers.ts"
import { instrumentAll } from "./source/instrumentAll.ts"
import type { Mutant } from "./source/mutant.ts"

const root = fileURLToPath(new URL("../../..", import.meta.url))
const explanations = fileURLToPath(new URL("../explained.json", import.meta.url))

/** The same number of random sequences for each mutant, from the same seed. */
const environment = ({ runs }: Options) => ({ LARDER_RUNS: String(runs), LARDER_SEED: "20261121" })

/** A sample of `size` mutants from each group. */
const sampled = (mutants: ReadonlyArray<Mutant>, size: number, seed: number) => {
  const groups = Map.groupBy(mutants, ({ file }) => groupOf(file))
  return {
    chosen: [...groups.values()].flatMap((own) => sample(own, size, seed)),
    sampledOf: new Map([...groups].map(([name, own]) => [name, own.length])),
  }
}

const chosenOf = (mutants: ReadonlyArray<Mutant>, { sample: size, seed }: Options) =>
  size === undefined ? { chosen: mutants, sampledOf: undefined } : sampled(mutants, size, seed)

/**
 * The first signal stops the run and prints a report of the mutants tried so far; the second ends
 * it at once.
 */
const stopping = (workers: Workers): AbortSignal => {
  const controller = new AbortController()
  const end = () => {
    if (controller.signal.aborted) {
      workers.close()
      process.exit(1)
    }
    console.error("stopping: the report follows once the mutants being tried are done")
    controller.abort()
  }
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, end)
  return controller.signal
}

const campaign = async (chosen: Options): Promise<Report> => {
  const known = existsSync(explanations) ? parse(readFileSync(explanations, "utf8")) : []
  const files = targets(root, chosen.paths, chosen.groups)
  const tests = testFiles(root, files, chosen.tests)
  const { code, mutants: all, placements } = instrumentAll(root, files)
  const selection = chosenOf(all, chosen)
  const workers = await make({ root, code, tests, placements }, environment(chosen))
  const stop = stopping(workers)
  try {
    const results = await run(workers, {
      all,
      chosen: selection.chosen,
      lanes: chosen.workers,
      stop,
      progress: chosen.quiet ? silent : shown(selection.chosen.length),
    })
    const { explained, others, unneeded } = explain(results, known, all)
    const { sampledOf } = selection
    const untried = selection.chosen.length - results.length
    return { results: others, explained, unneeded, sampledOf, seed: chosen.seed, untried }
  } finally {
    workers.close()
  }
}

const main = async (chosen: Options): Promise<void> => {
  const report = await campaign(chosen)
  console.log(text(report))
  const file = resolve(root, chosen.json)
  write(file, report)
  console.log(`\nwritten to ${file}`)
  const { atLeast } = chosen
  const share = 100 * figures(report.results).share
  if (atLeast !== undefined && share < atLeast) {
    console.error(
      `${share.toFixed(1)} % of the mutants are caught, wanted at least ${atLeast} %: write tests for the survivors`,
    )
    process.exitCode = 1
  }
}

/** Errors whose message is enough without a stack trace. */
const isExpected = (error: unknown): error is Error =>
  error instanceof CampaignFailed ||
  error instanceof WorkerFailed ||
  error instanceof InvalidExplanation

try {
  const chosen = options(process.argv.slice(2))
  if (chosen === "help") console.log(usage)
  else await main(chosen)
} catch (error) {
  if (error instanceof UsageError) console.error(`${error.message}\n\n${usage}`)
  else console.error(isExpected(error) ? error.message : error)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
