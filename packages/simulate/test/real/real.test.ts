/**
 * Plans of the simulator on real servers: what callers see is what they see in the simulator. The section "Real
 * servers" of docs/simulator.md has what cannot agree. `LARDER_RUNS=<n>` sets how many plans there are of each
 * kind, `LARDER_SEED=<n>` the seed of the first.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { isDeepStrictEqual } from "node:util"
import { describe, it } from "@effect/vitest"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { afterAll, beforeAll, expect } from "vitest"
import { check } from "../../src/check/check.ts"
import { shown } from "../../src/check/Violation.ts"
import { faultNames } from "../../src/plan/faults.ts"
import { lanes } from "../../src/report/lanes.ts"
import { type Outcomes, outcomesOf } from "./outcomes.ts"
import { type Played, playForReal } from "./RealWorld.ts"
import { replays } from "./replay.ts"
import { faults, sample } from "./samples.ts"

const first = Number(process.env["LARDER_SEED"] ?? 1)
const runs = Number(process.env["LARDER_RUNS"] ?? 20)
const seeds = Array.from({ length: runs }, (_, index) => first + index)

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "larder-real-"))),
  (name) => Effect.sync(() => fs.rmSync(name, { recursive: true, force: true })),
)

/** Where the order of messages decides, the real outcome is one of several; which are possible is not known. */
const isDecided = ([first, ...others]: ReadonlyArray<Outcomes>): boolean =>
  others.every((other) => isDeepStrictEqual(other, first))

const violations = ({ history }: Played): ReadonlyArray<string> =>
  check(history)
    // A machine that stands still is late, and no fault of a larder.
    .filter(({ law }) => law !== "inTime" && law !== "closed")
    .map(shown)

const agrees = (seed: number, file: boolean, server: RedisServer.RedisServer) =>
  Effect.gen(function* () {
    const plan = sample(seed, { file })
    yield* server.cli("FLUSHALL")
    const played = yield* playForReal(plan, { server, folder: yield* folder })
    const real = outcomesOf(played.history)
    const simulated = replays(plan, played).map(outcomesOf)
    expect(violations(played), lanes(played.history)).toEqual([])
    if (isDecided(simulated)) expect(real, lanes(played.history)).toEqual(simulated[0])
    return isDecided(simulated)
  }).pipe(Effect.scoped)

const hasRedis = (await Effect.runPromise(RedisServer.find)) !== undefined

describe.skipIf(!hasRedis)("real servers agree with simulated ones", () => {
  const scope = Scope.makeUnsafe()
  let server: RedisServer.RedisServer
  let undecided = 0
  beforeAll(async () => {
    server = await Effect.runPromise(Scope.provide(RedisServer.start(), scope))
  }, 30_000)
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  for (const file of [false, true]) {
    describe(file ? "Redis and SQLite" : "Redis", () => {
      for (const seed of seeds) {
        const agree = Effect.map(
          Effect.suspend(() => agrees(seed, file, server)),
          (isDecided) => {
            if (!isDecided) undecided += 1
          },
        )
        it.live(`seed ${seed}`, () => agree, 60_000)
      }
    })
  }

  it("the order of messages decides few plans", () => {
    expect(undecided).toBeLessThan(2 + 0.1 * 2 * runs)
  })
})

it("the documentation names the faults that no real server plays", () => {
  const docs = fs.readFileSync(new URL("../../../../docs/simulator.md", import.meta.url), "utf8")
  const [, section = ""] = docs.split("## Real servers")
  const rows = [...section.split("\n## ")[0]!.matchAll(/^\| (`.*?`) +\|/gm)]
  const named = rows.flatMap(([, names = ""]) => names.replaceAll("`", "").split(", "))
  expect(named.toSorted()).toEqual(faultNames.filter((name) => !faults.includes(name)).toSorted())
})
