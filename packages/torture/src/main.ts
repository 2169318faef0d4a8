/** `pnpm torture`: see options.ts for its command line. */
import * as RedisServer from "@larder/testing/RedisServer"
import * as Effect from "effect/Effect"
import { isRequired, runCommand } from "./command.ts"
import { options, type Options, usage } from "./options.ts"
import { progressText, summaryText, titleOf } from "./report.ts"
import { run } from "./run/run.ts"

const remedy =
  "No redis-server found, so no round ran. Install Redis or Valkey, or name its program in LARDER_REDIS_SERVER."

const main = (chosen: Options) =>
  Effect.gen(function* () {
    const found = [yield* RedisServer.find, yield* RedisServer.findValkey]
    if (found.every((program) => program === undefined)) {
      console.log(remedy)
      if (yield* isRequired("LARDER_REQUIRE_REDIS")) process.exitCode = 1
      return
    }
    console.log(`seed ${chosen.seed}`)
    const rounds = yield* run(chosen, {
      begun: (plan, server) => console.log(titleOf(plan, server)),
      judged: (round) => console.log(progressText(round)),
    })
    console.log(summaryText(chosen.seed, rounds))
    if (rounds.some(({ found }) => found.length > 0)) process.exitCode = 1
  })

runCommand(usage, options, main)
