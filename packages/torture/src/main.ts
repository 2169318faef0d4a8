/** `pnpm torture`: see options.ts for its command line. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { now } from "./clock.ts"
import { options, type Options, usage, UsageError } from "./options.ts"
import { progressText, summaryText, titleOf } from "./report.ts"
import { run } from "./run/run.ts"

const requiresRedis = Config.String("LARDER_REQUIRE_REDIS")
  .parse(ConfigProvider.fromEnv())
  .pipe(
    Effect.map((text) => text === "1"),
    Effect.orElseSucceed(() => false),
  )

const remedy =
  "No redis-server found, so no round ran. Install Redis or Valkey, or name its program in LARDER_REDIS_SERVER."

const main = (chosen: Options) =>
  Effect.gen(function* () {
    const found = [yield* RedisServer.find, yield* RedisServer.findValkey]
    if (found.every((program) => program === undefined)) {
      console.log(remedy)
      if (yield* requiresRedis) process.exitCode = 1
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

const drawSeed = (): number => Math.floor(now() * 1_000) % 1_000_000

try {
  const chosen = options(process.argv.slice(2), drawSeed)
  if (chosen === "help") console.log(usage)
  else NodeRuntime.runMain(main(chosen))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(`${error.message}\n\n${usage}`)
  process.exitCode = 2
}
