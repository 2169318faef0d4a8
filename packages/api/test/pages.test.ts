import { fileURLToPath } from "node:url"
import { beforeAll, describe, expect, it } from "vitest"
import { pagesOf, type Pages } from "../src/pages.ts"
import { type Project, read } from "../src/project.ts"

const folder = fileURLToPath(new URL("fixtures/jam", import.meta.url))

describe("the pages of a package", () => {
  let project: Project
  let pages: Pages
  beforeAll(async () => {
    const entries = [`${folder}/index.ts`, `${folder}/board.ts`]
    project = await read(entries, `${folder}/tsconfig.json`)
    pages = pagesOf(project, `${folder}/docs`)
  }, 60_000)

  const page = (path: string): string => pages.get(path) ?? ""

  it("are an index, and a page for each module", () => {
    expect([...pages.keys()]).toEqual([
      "README.md",
      "jam/Jar.md",
      "jam/Shelf.md",
      "jam/board/README.md",
    ])
  })

  it("lead from the index to each export", () => {
    expect(page("README.md")).toContain("## @shop/jam\n\nJam for everybody.\n\n### Cache\n")
    expect(page("README.md")).toContain(
      "| [`Jar`](jam/Jar.md) | Jars, to put on a shelf. | [`fill`](jam/Jar.md#fill), [`Jar`](jam/Jar.md#jar-1), [`Lid`](jam/Jar.md#lid), [`TypeId`](jam/Jar.md#typeid) |",
    )
  })

  it("say how to import a module and where its source is", () => {
    expect(page("jam/Jar.md")).toContain(
      "[API reference](../README.md) / [@shop/jam](../README.md#shopjam) / Jar\n\n# Jar\n\n" +
        '`import { Jar } from "@shop/jam"` · [source](../../Jar.ts)',
    )
  })

  it("show a value with its signature, docstring and version", () => {
    expect(page("jam/Jar.md")).toContain(
      "## Constructors\n\n### fill\n\n```ts\nconst fill: <A>(jam: A, glass: Glass) => Jar<A>\n```\n\n" +
        "Fills a jar, as [`Jar`](#jar-1) says.\n\nSince 0.2.0",
    )
  })

  it("show the members of an interface, inherited ones as well", () => {
    expect(page("jam/Jar.md")).toContain("interface Jar<A> extends Glass\n```")
    expect(page("jam/Jar.md")).toContain(
      "| `size` | `number` | Its size, ml. |\n| `jam?` | `A \\| undefined` | The jam: `sweet \\| sour`. |",
    )
    expect(page("jam/Jar.md")).not.toContain("| `~shop/Jar` |")
  })

  it("show a type as its source has it", () => {
    expect(page("jam/Jar.md")).toContain('type Lid = /** For a week. */ "paper" | "glass"')
  })

  it("show the types that a signature names and users cannot import", () => {
    expect(page("jam/Jar.md")).toContain(
      "## Named above, not exported\n\n```ts\ninterface Glass {\n  /** Its size, ml. */\n  readonly size: number\n}\n```",
    )
  })

  it("describe another entry on a page of its own", () => {
    expect(page("jam/board/README.md")).toContain(
      "# @shop/jam/board\n\nImport from `@shop/jam/board` · [source](../../../board.ts)",
    )
    expect(page("jam/board/README.md")).toContain("Exported here as well: [`Shelf`](../Shelf.md)")
    expect(page("README.md")).toContain(
      "[`@shop/jam/board`](jam/board/README.md): [`Board`](jam/board/README.md#board)",
    )
  })

  it("show the methods of a class, without their examples", () => {
    expect(page("jam/board/README.md")).toContain(
      "| `cut` | `(size: number) => Board` | Cuts a board. |\n\nSince 0.1.0",
    )
  })

  it("refer to what is described elsewhere", () => {
    expect(page("jam/Shelf.md")).toContain("Exported here as well: [`fill`](Jar.md#fill)")
    expect(page("jam/Shelf.md")).toContain("const most: 12")
  })

  it("have problems where a docstring refers to nothing", () => {
    expect(project.problems).toEqual([
      expect.stringMatching(/Failed to resolve link to "missing" in .*@shop\/jam\.Shelf\.most$/),
    ])
  })
})
