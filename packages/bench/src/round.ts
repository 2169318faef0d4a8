/** The process of one round: `node round.ts <case> <variant> <contender>` prints its samples as JSON. */
import { findCase } from "./Case.ts"
import { isContender, load } from "./contenders/registry.ts"
import { measure } from "./measure.ts"

const [caseName = "", variantName = "", contenderName = ""] = process.argv.slice(2)
const bench = findCase(caseName)
const variant = bench?.variants.find(({ name }) => name === variantName)
if (bench === undefined || variant === undefined || !isContender(contenderName)) {
  throw new Error(`no such round: ${process.argv.slice(2).join(" ")}`)
}
const samples = await measure(await load(contenderName), bench, variant)
process.stdout.write(JSON.stringify(samples))
