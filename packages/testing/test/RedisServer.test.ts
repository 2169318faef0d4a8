/** The servers that other suites rely on: they start, obey, and leave nothing behind. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { describe, it } from "@effect/vitest"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { expect, vi } from "vitest"

const available = (await Effect.runPromise(RedisServer.find)) !== undefined

const runs = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe.skipIf(!available)("RedisServer", () => {
  it.live("runs the program that it is given, such as the Valkey that was found", () =>
    Effect.gen(function* () {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), "larder-valkey-"))
      const valkey = path.join(folder, "valkey-server")
      fs.symlinkSync(fs.realpathSync((yield* RedisServer.find)!), valkey)
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          vi.unstubAllEnvs()
          fs.rmSync(folder, { recursive: true })
        }),
      )
      vi.stubEnv("LARDER_VALKEY_SERVER", valkey)
      expect(yield* RedisServer.findValkey).toBe(valkey)
      const server = yield* RedisServer.start({ program: valkey })
      expect((yield* server.info("server")).get("executable")).toBe(valkey)
      vi.stubEnv("LARDER_VALKEY_SERVER", path.join(folder, "missing"))
      expect(yield* RedisServer.findValkey).toBe(undefined)
      vi.stubEnv("LARDER_VALKEY_SERVER", "")
      vi.stubEnv("PATH", folder)
      expect(yield* RedisServer.findValkey).toBe(valkey)
    }),
  )

  it.live("starts on a free port, and process and folder are gone with the scope", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const server = yield* Scope.provide(RedisServer.start(), scope)
      const pid = yield* server.pid
      expect(yield* server.cli("PING")).toBe("PONG")
      expect(runs(pid)).toBe(true)
      yield* Scope.close(scope, Exit.void)
      expect(runs(pid)).toBe(false)
      expect(fs.existsSync(server.folder)).toBe(false)
    }),
  )

  it.effect("starts under a clock of the test's own", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      expect(yield* server.cli("PING")).toBe("PONG")
    }),
  )

  it.live("comes back on the same port: empty, or with its data", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const before = yield* server.pid
      yield* server.cli("SET", "a", "1")
      yield* server.restart({ keepData: true })
      expect(yield* server.cli("GET", "a")).toBe("1")
      yield* server.kill()
      expect((yield* Effect.flip(server.cli("PING"))).reason).toBe("NotReached")
      yield* server.restart()
      expect(yield* server.cli("GET", "a")).toBe(null)
      expect(yield* server.pid).not.toBe(before)
    }),
  )

  it.live("a frozen one answers nothing, and goes on after the thaw", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start({ unixSocket: true, password: "s3cret" })
      yield* server.freeze
      expect(
        yield* server.cli("PING").pipe(
          Effect.timeoutOption("100 millis"),
          Effect.map((o) => o._tag),
        ),
      ).toBe("None")
      yield* server.thaw
      expect(yield* server.cli("PING")).toBe("PONG")
      expect(fs.existsSync(server.unixSocket ?? "")).toBe(true)
      expect((yield* server.calls).get("ping")).toBeGreaterThan(0)
    }),
  )

  it.live("what Redis refuses is an error with its log", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(RedisServer.start({ config: { "no-such-setting": "1" } }))
      expect(error.reason).toBe("NotStarted")
      expect(error.log).toContain("no-such-setting")
      const server = yield* RedisServer.start()
      expect((yield* Effect.flip(server.cli("NOSUCH"))).message).toContain("unknown command")
    }),
  )

  it.live(
    "a cluster covers all slots; a slot moves with its keys",
    () =>
      Effect.gen(function* () {
        const cluster = yield* RedisServer.startCluster()
        const slot = yield* cluster.slotOf("{a}")
        const from = yield* cluster.ownerOf(slot)
        const to = cluster.masters.find((node) => node !== from) ?? from
        for (let i = 0; i < 10; i++) yield* from.cli("SET", `{a}${i}`, String(i))
        yield* cluster.migrateSlot(slot, to, {
          midway: Effect.gen(function* () {
            const refusals = yield* Effect.forEach(
              Array.from({ length: 10 }, (_, i) => i),
              (i) => Effect.result(from.cli("GET", `{a}${i}`)),
            )
            const asked = refusals.filter((result) => result._tag === "Failure")
            expect(asked.length).toBe(5)
            expect(asked.every((result) => /ASK/.test(result.failure.message))).toBe(true)
          }),
        })
        expect(yield* cluster.ownerOf(slot)).toBe(to)
        expect(yield* to.cli("GET", "{a}7")).toBe("7")
        expect((yield* Effect.flip(from.cli("GET", "{a}7"))).message).toContain("MOVED")
      }),
    30_000,
  )

  it.live(
    "Sentinels make the replica the master",
    () =>
      Effect.gen(function* () {
        const pair = yield* RedisServer.startReplicated()
        const before = yield* pair.master
        expect(before).toBe(pair.nodes[0])
        const after = yield* pair.failover
        expect(after).toBe(pair.nodes[1])
        expect(yield* after.cli("SET", "a", "1")).toBe("OK")
      }),
    60_000,
  )
})
