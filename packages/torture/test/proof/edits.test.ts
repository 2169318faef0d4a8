import * as fs from "node:fs"
import * as path from "node:path"
import { describe, expect, it } from "vitest"
import { edited, root } from "@larder/mutate/copy"
import { oldFaults } from "../../src/proof/faults.ts"

describe("old faults that can be put back", () => {
  it.each(oldFaults.map((fault) => [fault.name, fault] as const))("%s", (_, { edits }) => {
    expect(edits.length).toBeGreaterThan(0)
    for (const edit of edits) {
      const text = fs.readFileSync(path.join(root, edit.file), "utf8")
      expect(edited(text, edit)).not.toBe(text)
    }
  })
})
