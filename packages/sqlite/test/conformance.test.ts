import { TierConformance } from "@larder/testing"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqliteTier } from "../src/index.ts"
import { temporaryFile } from "./support/files.ts"

TierConformance.suite({
  name: "SQLite in memory",
  layer: SqliteTier.layer({ filename: ":memory:" }),
})

TierConformance.suite({
  name: "SQLite in memory, with other limits,",
  layer: SqliteTier.layer({
    filename: ":memory:",
    leaseTime: "3 seconds",
    leaseWait: "20 seconds",
    markMaxAge: "1 second",
    settleTime: "5 minutes",
    breaker: { failures: 2, openFor: "1 second" },
  }),
})

TierConformance.suite({
  name: "SQLite in a file",
  layer: Layer.unwrap(Effect.map(temporaryFile, (filename) => SqliteTier.layer({ filename }))),
})
