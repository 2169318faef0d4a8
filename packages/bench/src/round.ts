/** The process of one round: `round.ts <case> <variant> <entrant> <seconds> [<URL of Redis>]`. */
import { findCase } from "./cases.ts"
import { tell } from "./child.ts"
import { load } from "./contenders/registry.ts"
import { measure } from "./measure.ts"

const [caseName = "", variantName, entrantName, seconds, redis = ""] = process.argv.slice(2)
const bench = findCase(caseName)
const variant = bench?.variants.find(({ name }) => name === variantName)
const entrant = bench?.entrants.find(({ name }) => name === entrantName)
if (bench === undefined || variant === undefined || entrant === undefined) {
  throw new Error(`no such round: ${process.argv.slice(2).join(" ")}`)
}
const contender = await load(entrant.contender)
tell(await measure(contender, { bench, variant, entrant, seconds: Number(seconds), redis }))
