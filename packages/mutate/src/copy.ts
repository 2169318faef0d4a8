/** A copy of some packages in a temporary folder, with deliberate edits: the sources stay as they are. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../../..", import.meta.url))

export interface Edit {
  /** The path from the root of the repository. */
  readonly file: string
  /** Occurs exactly once. */
  readonly from: string
  readonly to: string
}

/**
 * Sources, manifests, and the links to dependencies. Relative links lead to the copy, or through
 * its root back here.
 */
const parts = ["package.json", "src", "node_modules"]

/** The text with its edit; throws unless the old text occurs exactly once. */
export const edited = (text: string, { file, from, to }: Edit): string => {
  const count = text.split(from).length - 1
  if (count === 1) return text.replace(from, () => to)
  throw new Error(
    `${file} has these lines ${count} times instead of once, so the edit cannot be made. Find the code that does this now, and change the edit:\n${from}`,
  )
}

/** Makes a copy of these folders of `packages` with these edits, and returns the folder of the copy. */
export const copy = (packages: ReadonlyArray<string>, edits: ReadonlyArray<Edit>): string => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "larder-copy-"))
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
