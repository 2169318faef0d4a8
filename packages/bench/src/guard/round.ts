/** The process of one check: `node round.ts <check>`. */
import { tell } from "../child.ts"
import { named } from "../command.ts"
import { checks } from "./checks.ts"

const [name = ""] = process.argv.slice(2)
tell(await named("check", checks, name).measure())
