/** The header of a file, and the fate of an open one. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { FileWatch, headerOf } from "../src/internal/header.ts"
import { temporaryFile } from "./support/files.ts"
import { openOn } from "./support/stores.ts"

const bytesOf = (changes: number, applicationId = 0x4c415244, size = 4096): Buffer => {
  const bytes = Buffer.alloc(size)
  bytes.write("SQLite format 3\0", "latin1")
  bytes.writeUInt32BE(changes, 24)
  bytes.writeUInt32BE(applicationId, 68)
  return bytes
}

describe("FileWatch", () => {
  const watched = (body: (filename: string, watch: FileWatch) => void) =>
    Effect.map(temporaryFile, (filename) => {
      fs.writeFileSync(filename, bytesOf(5))
      const watch = new FileWatch(filename)
      assert.strictEqual(watch.look(), "sound")
      body(filename, watch)
      watch.close()
    })

  for (const [what, bytes, fate] of [
    ["the same", bytesOf(5), "sound"],
    ["later and larger", bytesOf(6, undefined, 8192), "sound"],
    ["earlier, as large", bytesOf(4), "overwritten"],
    ["smaller", bytesOf(6, undefined, 2048), "truncated"],
    ["empty", Buffer.alloc(0), "truncated"],
    ["text", Buffer.alloc(4096, "text"), "overwritten"],
    ["of another application", bytesOf(6, 1), "overwritten"],
    ["of an unnamed application", bytesOf(6, 0), "overwritten"],
  ] as const) {
    it.effect(`${fate}: ${what}`, () =>
      watched((filename, watch) => {
        fs.writeFileSync(filename, bytes)
        assert.strictEqual(watch.look(), fate)
      }),
    )
  }

  it.effect("moved: renamed, removed, replaced", () =>
    watched((filename, watch) => {
      fs.renameSync(filename, `${filename}.old`)
      assert.strictEqual(watch.look(), "moved")
      fs.writeFileSync(filename, bytesOf(6))
      assert.strictEqual(watch.look(), "moved")
    }),
  )
})

describe("the change counter of a file", () => {
  for (const [what, change] of [
    ["a mark", ({ arbiter }: Store) => arbiter.mark(["t"], true, 0)],
    [
      "many writes in place",
      ({ put }: Store) =>
        Effect.forEach(Array.from({ length: 70 }), (_, i) => put("k", "v", i + 10)),
    ],
  ] as const) {
    it.effect(`rises with ${what}, so that an older copy is told`, () =>
      Effect.gen(function* () {
        const filename = yield* temporaryFile
        const opened = yield* openOn({ filename })
        const changes = () => {
          const database = new DatabaseSync(filename)
          database.exec("PRAGMA wal_checkpoint(TRUNCATE)")
          database.close()
          const header = headerOf(filename)
          return header._tag === "Ours" ? header.changes : assert.fail(header._tag)
        }
        yield* opened.put("k", "v", 1)
        yield* opened.arbiter.marks(0)
        yield* opened.put("k", "v", 2)
        const before = changes()
        yield* change(opened)
        assert.isAbove(changes(), before)
      }),
    )
  }
})

type Store = Effect.Success<ReturnType<typeof openOn>>
