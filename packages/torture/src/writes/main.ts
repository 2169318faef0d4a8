/** `pnpm torture:writes`: see options.ts for its command line. */
import * as fs from "node:fs"
import * as PostgresServer from "@larder/testing/PostgresServer"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Effect from "effect/Effect"
import { isRequired, runCommand } from "../command.ts"
import { comboOf, type ComboName } from "./Config.ts"
import { options, type Options, usage } from "./options.ts"
import { reportText } from "./report.ts"
import { violationsOf } from "./rules.ts"
import { run } from "./run.ts"

/** The stacks whose servers are there; says which are not. */
const runnable = (combos: ReadonlyArray<ComboName>) =>
  Effect.gen(function* () {
    if ((yield* RedisServer.find) === undefined) {
      console.log("No redis-server found, so nothing ran. Name its program in LARDER_REDIS_SERVER.")
      if (yield* isRequired("LARDER_REQUIRE_REDIS")) process.exitCode = 1
      return []
    }
    if ((yield* PostgresServer.find) !== undefined) return combos
    console.log("No Postgres found: that source is left out. Name its folder in LARDER_POSTGRES.")
    if (yield* isRequired("LARDER_REQUIRE_POSTGRES")) process.exitCode = 1
    return combos.filter((name) => comboOf[name].source !== "postgres")
  })

const main = (chosen: Options) =>
  Effect.gen(function* () {
    const combos = yield* runnable(chosen.combos)
    if (combos.length === 0) return
    console.log(`seed ${chosen.seed}: ${combos.join(", ")}`)
    const { folder, history, troubles } = yield* run({ ...chosen, combos })
    const violations = violationsOf(history)
    for (const text of troubles) console.log(`error of the tool itself: ${text}`)
    console.log(reportText(history, violations, combos))
    const isWell = violations.length === 0 && troubles.length === 0
    if (!isWell) process.exitCode = 1
    if (!isWell || chosen.keep) console.log(`all lines: ${folder}`)
    else fs.rmSync(folder, { recursive: true, force: true })
  })

runCommand(usage, options, main)
