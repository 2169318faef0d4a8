/** The process of one check, or of several: `node round.ts <check> ...` sends what it measured to its parent. */
import { isCheck } from "./bounds.ts"
import { checks } from "./checks.ts"

const measured: Array<number> = []
for (const name of process.argv.slice(2)) {
  if (!isCheck(name)) throw new Error(`no such check: ${name}`)
  measured.push(await checks[name]())
}
process.send?.(measured, () => process.exit())
