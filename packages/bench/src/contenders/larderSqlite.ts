/** Larder over a file alone: the cost of a memory miss that SQLite answers. */
import { TierStack } from "@larder/core"
import { SqliteTier } from "@larder/sqlite"
import { larderOver } from "./larder.ts"
import { fileFor } from "./temporary.ts"

export const contender = larderOver(() =>
  TierStack.layer(SqliteTier.layer({ filename: fileFor("bench.db") })),
)
