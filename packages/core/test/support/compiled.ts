/** What the compiler says of modules that a test makes up, compiled with the workspace's options. */
import { execFile } from "node:child_process"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { basename, join } from "node:path"
import { root } from "./linted.ts"

/** The compiler's errors of each module, by its name. Those elsewhere are errors of the test. */
export const compile = async (
  modules: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, ReadonlyArray<string>>> => {
  // Inside the workspace, where imports find its packages.
  const parent = join(root, "docs/.snippets")
  await mkdir(parent, { recursive: true })
  const folder = await mkdtemp(join(parent, "compiled-"))
  try {
    for (const [name, text] of modules) await writeFile(join(folder, `${name}.ts`), text)
    const config = { extends: join(root, "tsconfig.json"), include: ["*.ts"] }
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config))
    const output = (await tsc("-p", folder, "--pretty", "false")).trimEnd()
    const errors = output === "" ? [] : output.split(/\n(?=\S)/)
    const found = errors.map((error) => {
      const [, path = "", text = ""] = /^(.+?)\(\d+,\d+\): ([^]*)$/.exec(error) ?? []
      const name = basename(path, ".ts")
      if (!modules.has(name)) throw new Error(`not an error of a module: ${error}`)
      return { name, text }
    })
    return new Map(
      [...modules.keys()].map((name) => [
        name,
        found.filter((each) => each.name === name).map(({ text }) => text),
      ]),
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What the workspace's compiler prints, with or without errors in what it compiles. */
export const tsc = (...options: ReadonlyArray<string>): Promise<string> =>
  new Promise((resolve, reject) => {
    const command = [join(root, "node_modules/typescript/bin/tsc"), ...options]
    execFile(process.execPath, command, { cwd: root }, (error, stdout, stderr) => {
      // 2 and 1 are its exit statuses for "there are errors"; anything else is a failure of its own.
      if (error === null || error.code === 1 || error.code === 2) resolve(stdout)
      else reject(new Error(`tsc: ${stdout}${stderr}`, { cause: error }))
    })
  })
