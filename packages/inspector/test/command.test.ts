/** The command line, in a process of its own. */
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Dashboard, Rules } from "@larder/inspector"
import { expect, it } from "vitest"

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))

const larder = (...args: ReadonlyArray<string>) =>
  spawnSync(process.execPath, [main, ...args], { encoding: "utf8" })

it("prints the rules", () => {
  expect(JSON.parse(larder("rules").stdout)).toEqual(Rules.make())
  const options = ["--stale-ratio", "0.3", "--breaker-seconds", "120", "--count-revalidating"]
  expect(JSON.parse(larder("rules", ...options).stdout)).toEqual(
    Rules.make({ staleRatio: 0.3, breakerNotClosed: "2 minutes", countRevalidating: true }),
  )
}, 30_000)

it("prints the dashboard", () => {
  const done = larder("dashboard", "--title", "Caches", "--uid", "caches")
  expect(JSON.parse(done.stdout)).toEqual(Dashboard.make({ title: "Caches", uid: "caches" }))
}, 30_000)

it("prints the runbook, which is that of the guides", () => {
  const guide = readFileSync(new URL("../../../docs/runbook.md", import.meta.url), "utf8")
  // `cp docs/runbook.md packages/inspector/runbook.md` brings the package's copy up to date.
  expect(larder("runbook").stdout).toBe(guide)
}, 30_000)

it("says which option cannot be used, and fails", () => {
  const done = larder("rules", "--stale-ratio", "3")
  expect(done.status).not.toBe(0)
  expect(done.stdout).toBe("")
  expect(done.stderr).toContain("staleRatio must be a share above 0 and below 1")
}, 30_000)

it("lists its commands", () => {
  expect(larder("--help").stdout).toMatch(/rules[^]*dashboard[^]*runbook/)
}, 30_000)

it("tells the version of the package", () => {
  const manifest: { readonly version: string } = JSON.parse(
    readFileSync(new URL("../package.json", import.meta.url), "utf8"),
  )
  expect(larder("--version").stdout.trim()).toBe(`larder v${manifest.version}`)
}, 30_000)
