/** `node src/scenarios/main.ts FAULT`: plays the scenario of a fault, and prints what is wrong as JSON. */
import { faultsOf } from "./Scenario.ts"
import { scenarios } from "./scenarios.ts"

const [fault] = process.argv.slice(2)
const scenario = scenarios.find((one) => one.fault === fault)
if (scenario === undefined) throw new Error(`no scenario of the fault ${fault}`)
console.log(JSON.stringify(faultsOf(scenario)))
