/** `pnpm docs:api`: writes the API reference; with `--check`, lists the pages that are out of date instead. */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { differences } from "./differences.ts"
import { entryFiles } from "./entries.ts"
import { type Pages, pagesOf } from "./pages.ts"
import { read } from "./project.ts"

const root = fileURLToPath(new URL("../../..", import.meta.url))
const folder = join(root, "docs/api")
const tsconfig = fileURLToPath(new URL("../tsconfig.json", import.meta.url))

const onDisk = (): Pages =>
  new Map(
    globSync("**/*.md", { cwd: folder }).map((path) => [
      path,
      readFileSync(join(folder, path), "utf8"),
    ]),
  )

const write = (pages: Pages): void => {
  rmSync(folder, { recursive: true, force: true })
  for (const [path, text] of pages) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
}

const project = await read(entryFiles(root), tsconfig)
const pages = pagesOf(project, folder)
const isCheck = process.argv.includes("--check")
const outdated = isCheck ? differences(onDisk(), pages) : []
if (!isCheck) write(pages)

for (const problem of project.problems) console.error(problem)
for (const difference of outdated) console.error(`docs/api/${difference}`)
if (outdated.length > 0) console.error("docs/api is out of date: run `pnpm docs:api` and commit")
if (project.problems.length + outdated.length > 0) process.exitCode = 1
else console.log(`docs/api: ${pages.size} pages${isCheck ? " up to date" : " written"}`)
