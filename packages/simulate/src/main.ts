/** `pnpm simulate`: see options.ts for its command line. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import { shown } from "./check/Violation.ts"
import { now } from "./clock.ts"
import { options, type Options, usage, UsageError } from "./options.ts"
import { generate } from "./plan/generate.ts"
import { lanes } from "./report/lanes.ts"
import { pasted } from "./report/paste.ts"
import { progress } from "./report/progress.ts"
import { json, summary, table } from "./report/table.ts"
import { campaign, isEndless } from "./run/campaign.ts"
import { judge, type Judged } from "./run/judge.ts"
import { simulate } from "./run/simulate.ts"
import { breaks, shrink } from "./shrink/shrink.ts"

const explain = ({ seed, violations }: Judged, size: Options): string => {
  const [first] = violations
  if (first === undefined) return ""
  const plan = generate(seed, size)
  // It would not end here either.
  if (isEndless(first)) return `seed ${seed}: ${shown(first)}`
  const small = shrink(plan, breaks(first.law))
  const found = judge(small, { twice: first.law === "same" }).violations
  const shownFirst = found.find(({ law }) => law === first.law) ?? first
  return [
    `seed ${seed}: ${plan.steps.length} steps, of which ${small.steps.length} are needed`,
    shown(shownFirst),
    "",
    lanes(simulate(small), { key: shownFirst.key, until: shownFirst.at }),
    "",
    pasted(small, shownFirst),
  ].join("\n")
}

const main = (chosen: Options) =>
  Effect.gen(function* () {
    const began = now()
    const { from, json: isJson, seeds } = chosen
    if (!isJson) {
      const kinds = chosen.faults.length === 0 ? "no faults" : `faults: ${chosen.faults.join(", ")}`
      console.log(
        `seeds ${from} to ${from + seeds - 1}, ${chosen.nodes} nodes, ${chosen.steps} steps, ${kinds}`,
      )
    }
    const judged = yield* campaign({
      from,
      seeds,
      size: chosen,
      threads: chosen.threads,
      onProgress: progress(seeds),
      isEnough: ({ violations }) => chosen.first && violations.length > 0,
    })
    const result = summary(judged, now() - began)
    console.log(isJson ? json(result) : table(result))
    const failed = judged.find(({ violations }) => violations.length > 0)
    if (failed === undefined) return
    process.exitCode = 1
    if (!isJson) console.log(`\n${explain(failed, chosen)}`)
  })

try {
  const chosen = options(process.argv.slice(2))
  if (chosen === "help") console.log(usage)
  else NodeRuntime.runMain(main(chosen))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(`${error.message}\n\n${usage}`)
  process.exitCode = 2
}
