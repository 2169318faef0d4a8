/** A process that tells what it was given, or ends before it does. */
import { tell } from "../../src/child.ts"

const [what] = process.argv.slice(2)
console.log("printed, and no part of the figures")
if (what === "nothing") process.exit(7)
tell({ what, flags: process.execArgv })
// A library may leave a timer running.
setInterval(() => {}, 1_000)
