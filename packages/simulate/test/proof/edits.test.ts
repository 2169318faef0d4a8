import * as fs from "node:fs"
import * as path from "node:path"
import { describe, expect, it } from "vitest"
import { edited, root } from "../../src/proof/copy.ts"
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

  it("an edit whose lines are not there, or twice, is an error that shows them", () => {
    const edit = { file: "a.ts", from: "guard()", to: "" }
    expect(edited("one; guard(); two", edit)).toBe("one; ; two")
    expect(() => edited("one", edit)).toThrow("a.ts has these lines 0 times")
    expect(() => edited("guard() guard()", edit)).toThrow("guard()")
  })
})
