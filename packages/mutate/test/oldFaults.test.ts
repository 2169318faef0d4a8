/** Old faults as edits: a test fails when changed source lines no longer fit an edit. */
import * as fs from "node:fs"
import * as path from "node:path"
import { describe, expect, it } from "vitest"
import { edited, root } from "../src/copy.ts"
import { oldFaults } from "../src/oldFaults.ts"

describe("old faults that can be put back", () => {
  it.each(Object.entries(oldFaults))("%s", (_, { edits }) => {
    expect(edits.length).toBeGreaterThan(0)
    for (const edit of edits) {
      const text = fs.readFileSync(path.join(root, edit.file), "utf8")
      expect(edited(text, edit)).not.toBe(text)
    }
  })
})
