/** Simulates seeds over a copy until one shows the defect. */
import { spawn } from "node:child_process"
import * as path from "node:path"
import * as Effect from "effect/Effect"

export interface Hunt {
  readonly seeds: number
}

export interface Caught {
  readonly seed: number
  /** The laws that this seed breaks. */
  readonly laws: ReadonlyArray<string>
}

interface Printed {
  readonly histories: number
  readonly broken: Readonly<Record<string, ReadonlyArray<number>>>
}

/** The output of a run. An interruption makes the run end. */
const printed = (folder: string, args: ReadonlyArray<string>): Effect.Effect<Printed> =>
  Effect.callback((resume) => {
    const script = path.join(folder, "packages/simulate/src/main.ts")
    const child = spawn(process.execPath, [script, ...args], {
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
      if (text.startsWith("{")) resume(Effect.succeed(JSON.parse(text)))
      else resume(Effect.die(new Error(`simulate did not run:\n${text}${errors}`)))
    })
    return Effect.sync(() => child.kill("SIGTERM"))
  })

/** The first seed that shows a violation; undefined for none. */
export const hunt = (folder: string, { seeds }: Hunt): Effect.Effect<Caught | undefined> =>
  Effect.map(printed(folder, ["--seeds", `${seeds}`, "--first", "--json"]), ({ broken }) => {
    const seed = Math.min(...Object.values(broken).flat())
    if (seed === Infinity) return undefined
    const laws = Object.keys(broken).filter((law) => broken[law]?.includes(seed))
    return { seed, laws }
  })
