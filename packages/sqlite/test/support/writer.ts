/**
 * A process that works on a file and prints one line for each acknowledged write:
 * `key version`. `node writer.ts FILE NAME ROUNDS`.
 */
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import { openOn } from "./stores.ts"

const [filename, name, rounds] = process.argv.slice(2)

const say = (line: string) => Effect.sync(() => fs.writeSync(1, `${line}\n`))

const work = Effect.gen(function* () {
  const { arbiter, set, put } = yield* openOn({ filename: filename!, busyTimeout: "10 seconds" })
  yield* say("ready")
  for (let i = 0; i < Number(rounds); i++) {
    const key = `k${i % 20}`
    const version = yield* set(key, `${name} ${i} ${"x".repeat(i % 3000)}`)
    yield* say(`${key} ${version}`)
    const acquired = yield* arbiter.acquire("counter", {
      known: 0,
      leaseMillis: 60_000,
      force: true,
    })
    if (acquired._tag === "Won") yield* say(`token ${acquired.token}`)
    if (i % 7 === 0) {
      const { number } = yield* arbiter.mark([`tag ${i % 70}`], true, 0)
      yield* say(`mark ${number}`)
    }
    yield* put(`${name} own`, `${i}`, i + 1)
  }
})

await Effect.runPromise(Effect.scoped(work))
