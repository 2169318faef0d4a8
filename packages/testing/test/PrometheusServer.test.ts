/** Where the programs of Prometheus are: other suites skip on it. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as PrometheusServer from "@larder/testing/PrometheusServer"
import * as Effect from "effect/Effect"
import { afterEach, expect, it, vi } from "vitest"

const find = () => Effect.runPromise(PrometheusServer.find)

const folders: Array<string> = []

const folderOf = (...programs: ReadonlyArray<string>): string => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "larder-prometheus-"))
  folders.push(folder)
  for (const name of programs) fs.writeFileSync(path.join(folder, name), "", { mode: 0o755 })
  return folder
}

afterEach(() => {
  vi.unstubAllEnvs()
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true })
})

const within = (folder: string) => ({
  prometheus: path.join(folder, "prometheus"),
  promtool: path.join(folder, "promtool"),
})

it("finds both programs in the folder that LARDER_PROMETHEUS names, or beside the one that it names", async () => {
  const folder = folderOf("prometheus", "promtool")
  vi.stubEnv("LARDER_PROMETHEUS", folder)
  expect(await find()).toEqual(within(folder))
  vi.stubEnv("LARDER_PROMETHEUS", path.join(folder, "promtool"))
  expect(await find()).toEqual(within(folder))
})

it("finds nothing where one of them is missing, whatever is on the PATH", async () => {
  vi.stubEnv("PATH", folderOf("prometheus", "promtool"))
  vi.stubEnv("LARDER_PROMETHEUS", folderOf("promtool"))
  expect(await find()).toBe(undefined)
  vi.stubEnv("LARDER_PROMETHEUS", path.join(os.tmpdir(), "larder-no-such-folder"))
  expect(await find()).toBe(undefined)
})

it("finds them on the PATH, each on its own", async () => {
  vi.stubEnv("LARDER_PROMETHEUS", "")
  const [one, other] = [folderOf("prometheus"), folderOf("promtool")]
  vi.stubEnv("PATH", `${one}${path.delimiter}${other}`)
  expect(await find()).toEqual({
    prometheus: path.join(one, "prometheus"),
    promtool: path.join(other, "promtool"),
  })
  vi.stubEnv("PATH", one)
  expect(await find()).toBe(undefined)
})
