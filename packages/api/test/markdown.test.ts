import { describe, expect, it } from "vitest"
import { differences } from "../src/differences.ts"
import { anchors, cell } from "../src/markdown.ts"

describe("anchors", () => {
  it("are those of GitHub, numbered where headings are equal", () => {
    const anchorOf = anchors()
    const headings = ["@larder/core", "Building blocks", "Options", "Options", "type_IDs-2"]
    expect(headings.map(anchorOf)).toEqual([
      "lardercore",
      "building-blocks",
      "options",
      "options-1",
      "type_ids-2",
    ])
  })
})

describe("cell", () => {
  it("keeps paragraphs and bars in one cell", () => {
    expect(cell("a | b\nc\n\nd")).toBe("a \\| b c<br><br>d")
  })
})

describe("differences", () => {
  const pages = new Map([
    ["a.md", "a"],
    ["b.md", "b"],
  ])

  it("are none between equal pages", () => {
    expect(differences(new Map(pages), pages)).toEqual([])
  })

  it("name pages that changed, are missing, or are left over", () => {
    const onDisk = new Map([
      ["a.md", "older"],
      ["c.md", "c"],
    ])
    expect(differences(onDisk, pages)).toEqual([
      "a.md has changed",
      "b.md is missing",
      "c.md is left over",
    ])
  })
})
