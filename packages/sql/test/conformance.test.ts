/** Outboxes in a database keep the contract: in memory, and in a file that several clients use. */
import { NodeSqliteClient } from "@larder/sqlite"
import { OutboxConformance } from "@larder/testing"
import * as Layer from "effect/Layer"
import * as SqlOutbox from "../src/SqlOutbox.ts"

OutboxConformance.suite({
  name: "SqlOutbox on SQLite",
  layer: SqlOutbox.layer().pipe(Layer.provide(NodeSqliteClient.layer({ filename: ":memory:" }))),
})
