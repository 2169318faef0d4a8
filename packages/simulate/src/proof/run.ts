/** Runs a script of a copy. */
import { spawn } from "node:child_process"
import * as path from "node:path"
import * as Effect from "effect/Effect"

/** The JSON that a script of this package prints. An interruption makes the script end. */
export const printed = (
  folder: string,
  script: string,
  args: ReadonlyArray<string>,
): Effect.Effect<unknown> =>
  Effect.callback((resume) => {
    const file = path.join(folder, "packages/simulate/src", script)
    const child = spawn(process.execPath, [file, ...args], {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
    })
    let [text, errors] = ["", ""]
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString()
    })
    child.stderr.on("data", (chunk: Buffer) => {
      errors += chunk.toString()
    })
    child.once("close", () => {
      if (/^[[{]/.test(text)) resume(Effect.succeed(JSON.parse(text)))
      else resume(Effect.die(new Error(`${script} did not run:\n${text}${errors}`)))
    })
    return Effect.sync(() => child.kill("SIGTERM"))
  })
