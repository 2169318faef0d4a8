/** The process of one check: `node round.ts <check>`. */
import { tell } from "../child.ts"
import { checks, isCheck } from "./checks.ts"

const [name = ""] = process.argv.slice(2)
if (!isCheck(name)) throw new Error(`no such check: ${name}`)
tell(await checks[name].measure())
