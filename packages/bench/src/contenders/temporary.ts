/** Files that are gone when the process ends. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export const fileFor = (name: string): string => {
  const folder = mkdtempSync(join(tmpdir(), "larder-bench-"))
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }))
  return join(folder, name)
}
