/** The process of one round: `round.ts <case> <variant> <entrant> <seconds> [<URL of Redis>]`. */
import { cases } from "./cases.ts"
import { tell } from "./child.ts"
import { named } from "./command.ts"
import { load } from "./contenders/registry.ts"
import { measure } from "./measure.ts"

const [caseName = "", variantName = "", name = "", seconds, redis = ""] = process.argv.slice(2)
const bench = named("case", cases, caseName)
const variant = named("variant", bench.variants, variantName)
const entrant = named("entrant", bench.entrants, name)
const contender = await load(entrant.contender)
tell(await measure(contender, { bench, variant, entrant, seconds: Number(seconds), redis }))
