/** Timers of a larder keep no process alive; callers that wait do. */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

const script = fileURLToPath(new URL("support/ending.ts", import.meta.url))

/** What each of the programs got, and how many timers kept the process alive after it; fails unless it ends. */
const run = (names: ReadonlyArray<string>): Promise<ReadonlyArray<unknown>> =>
  new Promise((resolve, reject) => {
    // Shorter than any of the timers that were left.
    execFile(process.execPath, [script, ...names], { timeout: 19_000 }, (error, stdout) => {
      const said = stdout.trim().split("\n")
      if (error === null) resolve(said.map((line) => JSON.parse(line)))
      else reject(new Error(`did not end: ${stdout}`, { cause: error }))
    })
  })

const expectEach = async (expected: Readonly<Record<string, unknown>>) => {
  const names = Object.keys(expected)
  const ended = names.map((name) => ({ name, got: expected[name], timers: 0 }))
  expect(await run(names)).toEqual(ended)
}

describe.concurrent("a process with a larder that is not closed", { timeout: 20_000 }, () => {
  it("law 22: ends by itself, whatever the larder still waits for", () =>
    expectEach({
      scheduled: "k",
      lookup: "k",
      tiers: "k",
      refresh: "k",
      "refresh with a lease": "k",
      "refresh that waits for a lease": "k",
      softTimeout: "k",
      missed: false,
      "missed in the background": false,
      observed: "k",
      interrupted: { _id: "Option", _tag: "None" },
    }))

  it("law 9: does not end while a caller waits", () =>
    expectEach({
      "waits for a deadline": "too slow",
      "waits for a lookup": expect.stringContaining("LookupTimeout"),
      "waits for a refresh": expect.stringContaining("LookupTimeout"),
      "waits for many": 2,
      "waits for a tier": ["Missing", false, false],
    }))
})
