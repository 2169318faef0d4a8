import * as fs from "node:fs"
import * as path from "node:path"
import { describe, expect, it } from "vitest"
import { edited, root } from "@larder/mutate/copy"
import { defects } from "../../src/proof/defects.ts"

describe("defects that can be made", () => {
  it.each(defects.map((defect) => [defect.name, defect] as const))(
    "%s",
    (_, { edits, given = [] }) => {
      expect(edits.length).toBeGreaterThan(0)
      for (const edit of [...given, ...edits]) {
        const text = fs.readFileSync(path.join(root, edit.file), "utf8")
        expect(edited(text, edit)).not.toBe(text)
      }
    },
  )
})
