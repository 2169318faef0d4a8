/** Every link of the committed reference leads to a file and a heading that are there. */
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { anchors } from "../src/markdown.ts"

const folder = fileURLToPath(new URL("../../../docs/api", import.meta.url))
const files = globSync("**/*.md", { cwd: folder }).map((path) => join(folder, path))

const proseOf = (file: string): string =>
  readFileSync(file, "utf8").replaceAll(/^```[^]*?^```$/gm, "")

const anchorsOf = (file: string): ReadonlySet<string> =>
  new Set(
    [...proseOf(file).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => heading).map(anchors()),
  )

const isBroken = (from: string, url: string): boolean => {
  const [path = "", anchor] = url.split("#")
  const file = path === "" ? from : join(dirname(from), path)
  return !existsSync(file) || (anchor !== undefined && !anchorsOf(file).has(anchor))
}

it("no link is broken", () => {
  const links = files.flatMap((file) =>
    [...proseOf(file).matchAll(/\]\(([^)\s]*)\)/g)].map(([, url = ""]) => ({ file, url })),
  )
  expect(links.length).toBeGreaterThan(files.length)
  expect(links.filter(({ file, url }) => isBroken(file, url))).toEqual([])
})
