/** Real Postgres servers for other suites: they start, crash and come back, and leave nothing behind. */
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { describe, it } from "@effect/vitest"
import * as PostgresServer from "@larder/testing/PostgresServer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { afterEach, expect, vi } from "vitest"

const find = () => Effect.runPromise(PostgresServer.find)
const available = (await find()) !== undefined

const folders: Array<string> = []

const folderOf = (...programs: ReadonlyArray<string>): string => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "larder-programs-"))
  folders.push(folder)
  for (const name of programs) fs.writeFileSync(path.join(folder, name), "", { mode: 0o755 })
  return folder
}

afterEach(() => {
  vi.unstubAllEnvs()
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true })
})

const within = (folder: string) => ({
  initdb: path.join(folder, "initdb"),
  postgres: path.join(folder, "postgres"),
})

const connects = (port: number): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const socket = net.connect({ host: "127.0.0.1", port })
    socket.once("connect", () => {
      socket.destroy()
      resume(Effect.succeed(true))
    })
    socket.once("error", () => resume(Effect.succeed(false)))
  })

it("finds both programs in the folder that LARDER_POSTGRES names, and nowhere else", async () => {
  const folder = folderOf("initdb", "postgres")
  vi.stubEnv("LARDER_POSTGRES", folder)
  expect(await find()).toEqual(within(folder))
  vi.stubEnv("PATH", folder)
  vi.stubEnv("LARDER_POSTGRES", folderOf("postgres"))
  expect(await find()).toBe(undefined)
})

it("finds them on the PATH, before those of Debian", async () => {
  vi.stubEnv("LARDER_POSTGRES", "")
  const folder = folderOf("initdb", "postgres")
  vi.stubEnv("PATH", folder)
  expect(await find()).toEqual(within(folder))
})

describe.skipIf(!available)("PostgresServer", () => {
  it.live(
    "starts on a port of its own, comes back after a crash, and is gone with its scope",
    () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const server = yield* Scope.provide(PostgresServer.start(), scope)
        expect(server.port).not.toBe(5432)
        expect(yield* connects(server.port)).toBe(true)
        yield* server.kill
        expect(yield* connects(server.port)).toBe(false)
        yield* server.restart
        expect(yield* connects(server.port)).toBe(true)
        expect(yield* server.log).toContain("ready to accept connections")
        yield* Scope.close(scope, Exit.void)
        expect(yield* connects(server.port)).toBe(false)
        expect(fs.existsSync(server.folder)).toBe(false)
      }),
    60_000,
  )

  it.live(
    "a setting that it does not know is NotStarted, with its words, and leaves no folder",
    () =>
      Effect.gen(function* () {
        const folders = () =>
          fs.readdirSync(os.tmpdir()).filter((name) => name.startsWith("larder-postgres-")).length
        const before = folders()
        const start = PostgresServer.start({ config: { no_such_setting: "1" } })
        const error = yield* Effect.flip(Effect.scoped(start))
        expect(error.reason).toBe("NotStarted")
        expect(error.message).toContain("no_such_setting")
        expect(folders()).toBeLessThanOrEqual(before)
      }),
    60_000,
  )
})
