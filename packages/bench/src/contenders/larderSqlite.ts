/** Larder over a file alone: the cost of a memory miss that SQLite answers. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { TierStack } from "@larder/core"
import { SqliteTier } from "@larder/sqlite"
import { larderOver } from "./larder.ts"

const folder = mkdtempSync(join(tmpdir(), "larder-bench-"))
process.once("exit", () => rmSync(folder, { recursive: true, force: true }))

export const contender = larderOver(() =>
  TierStack.layer(SqliteTier.layer({ filename: join(folder, "bench.db") })),
)
