/** kill -9 of processes that put: what the source lacks of what was acknowledged. */
import { describe, expect, it } from "@effect/vitest"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Effect from "effect/Effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { ended, killAll } from "./support/kills.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "larder-kills-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })),
)

const hasRedis = (await Effect.runPromise(RedisServer.find)) !== undefined
const kills = 3
const lines = 1_500
/** Eight callers with 38 keys each. */
const keysPerProcess = 8 * 38

describe("a process that closes nothing", () => {
  it.live(
    "ends by itself, after its writes were flushed",
    () =>
      Effect.gen(function* () {
        const path = yield* folder
        const source = join(path, "source")
        const run = { store: "sqlite", where: join(path, "outbox"), source } as const
        yield* ended(run, "leave")
        const database = new DatabaseSync(source)
        const rows = database.prepare("select key, value from prices").all()
        database.close()
        expect(rows.map(({ key, value }) => [key, value])).toEqual([["leave", 1]])
      }),
    60_000,
  )
})

describe("kill -9 of a process that puts", () => {
  it.live(
    "loses nothing of an outbox in SQLite",
    () =>
      Effect.gen(function* () {
        const path = yield* folder
        const run = {
          store: "sqlite",
          where: join(path, "outbox"),
          source: join(path, "source"),
        } as const
        const { acknowledged, keys, lost } = yield* killAll(run, kills, lines)
        expect(acknowledged).toBeGreaterThan(kills * lines)
        expect(keys).toBeGreaterThan(kills * 200)
        expect(lost).toBe(0)
      }),
    120_000,
  )

  it.live(
    "loses no more than the keys that waited of an outbox in memory",
    () =>
      Effect.gen(function* () {
        const path = yield* folder
        const run = { store: "memory", where: "", source: join(path, "source") } as const
        const { keys, lost } = yield* killAll(run, kills, lines)
        expect(keys).toBeGreaterThan(kills * 200)
        expect(lost).toBeGreaterThan(0)
        expect(lost).toBeLessThanOrEqual(kills * keysPerProcess)
      }),
    120_000,
  )

  it.live.skipIf(!hasRedis)(
    "loses nothing of an outbox in Redis, whose server lives on",
    () =>
      Effect.gen(function* () {
        const path = yield* folder
        const { url } = yield* RedisServer.start()
        const run = { store: "redis", where: url, source: join(path, "source") } as const
        const { keys, lost } = yield* killAll(run, kills, lines)
        expect(keys).toBeGreaterThan(kills * 200)
        expect(lost).toBe(0)
      }),
    120_000,
  )
})
