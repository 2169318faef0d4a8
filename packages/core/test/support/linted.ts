/** Runs the workspace's lint rules on time, chance and rooms over files that a test makes up. */
import { execFile } from "node:child_process"
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../../../../", import.meta.url))

export interface Finding {
  readonly file: string
  readonly line: number
  readonly message: string
}

interface Report {
  readonly diagnostics: ReadonlyArray<{
    readonly code: string
    readonly message: string
    readonly filename: string
    readonly labels: ReadonlyArray<{ readonly span: { readonly line: number } }>
  }>
}

/** The findings of the rules on time, chance and rooms in files laid out as in the workspace. */
export const check = async (
  files: ReadonlyMap<string, string>,
): Promise<ReadonlyArray<Finding>> => {
  const place = await mkdtemp(join(tmpdir(), "larder-sources-"))
  try {
    await copyFile(join(root, ".oxlintrc.json"), join(place, ".oxlintrc.json"))
    for (const [path, text] of files) {
      await mkdir(dirname(join(place, path)), { recursive: true })
      await writeFile(join(place, path), text)
    }
    const report = await lint(place)
    return report.diagnostics
      .filter(({ code }) => code.includes("no-restricted-") || code.includes("no-nodejs-"))
      .map(({ filename, labels, message }) => ({
        file: filename,
        line: labels[0]?.span.line ?? 0,
        message,
      }))
  } finally {
    await rm(place, { recursive: true, force: true })
  }
}

/** oxlint's exit status is 1 when it has findings; they are on its standard output either way. */
const lint = (place: string): Promise<Report> =>
  new Promise((resolve, reject) => {
    const oxlint = join(root, "node_modules/oxlint/bin/oxlint")
    const options = { cwd: place, maxBuffer: 64 * 1024 * 1024 }
    execFile(process.execPath, [oxlint, "--format", "json"], options, (_, stdout, stderr) => {
      try {
        resolve(JSON.parse(stdout))
      } catch (cause) {
        reject(new Error(`oxlint gave no report: ${stdout}${stderr}`, { cause }))
      }
    })
  })
