/** A copy of the sources in a temporary folder: edits go only there. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import type { Edit } from "./defects.ts"

export const root = fileURLToPath(new URL("../../../..", import.meta.url))

const packages = ["core", "simulate"]

/**
 * Sources, manifests, and the links to dependencies. Relative links lead to the copy, or through its
 * root back here.
 */
const parts = ["package.json", "src", "node_modules"]

/** The text with its edit; throws unless the old text occurs exactly once. */
export const edited = (text: string, { file, from, to }: Edit): string => {
  const count = text.split(from).length - 1
  if (count === 1) return text.replace(from, () => to)
  throw new Error(
    `${file} has these lines ${count} times instead of once, so the defect cannot be made. Find the code that guards against it now, and change packages/simulate/src/proof/defects.ts:\n${from}`,
  )
}

/** Makes a copy with these edits, and returns its folder. */
export const copy = (edits: ReadonlyArray<Edit>): string => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "larder-defect-"))
  fs.symlinkSync(path.join(root, "node_modules"), path.join(folder, "node_modules"))
  fs.copyFileSync(path.join(root, "package.json"), path.join(folder, "package.json"))
  for (const name of packages) {
    for (const part of parts) {
      const place = path.join("packages", name, part)
      fs.cpSync(path.join(root, place), path.join(folder, place), {
        recursive: true,
        verbatimSymlinks: true,
      })
    }
  }
  for (const edit of edits) {
    const file = path.join(folder, edit.file)
    fs.writeFileSync(file, edited(fs.readFileSync(file, "utf8"), edit))
  }
  return folder
}

export const remove = (folder: string): void => fs.rmSync(folder, { recursive: true, force: true })
