import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { expect, it, onTestFinished } from "vitest"
import { open, readAll } from "../../src/history/log.ts"

it("what was written is there, but for a line that a killed process left half written", () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "larder-log-"))
  onTestFinished(() => fs.rmSync(folder, { recursive: true }))
  const file = path.join(folder, "A-1.jsonl")
  const line = { t: "unhandled", node: "A", at: 1.5, error: "boom" } as const
  open(file).write(line)
  fs.appendFileSync(file, '{"t":"unhan')
  fs.writeFileSync(path.join(folder, "A.err"), "no line")
  expect(readAll(folder)).toEqual([line])
})
