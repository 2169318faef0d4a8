/** Runs rounds over a copy until one shows the fault. */
import { spawn } from "node:child_process"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import { now } from "../clock.ts"

export interface Hunt {
  readonly seed: number
  readonly only: string
  readonly rules: ReadonlyArray<string>
  /** No round begins after this time. */
  readonly millis: number
}

export interface Caught {
  readonly round: number
  readonly millis: number
  /** The first lines of the report. */
  readonly report: ReadonlyArray<string>
}

/** The output of a run. An interruption makes the run end. */
const printed = (folder: string, args: ReadonlyArray<string>): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const script = path.join(folder, "packages/torture/src/main.ts")
    const child = spawn(process.execPath, [script, ...args], {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
    })
    let text = ""
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        text += chunk.toString()
      })
    }
    child.once("close", () => resume(Effect.succeed(text)))
    return Effect.callback<void>((ended) => {
      child.once("close", () => ended(Effect.void))
      child.kill("SIGTERM")
    })
  })

export const reportOf = (
  text: string,
  rules: ReadonlyArray<string>,
): ReadonlyArray<string> | undefined => {
  const lines = text.split("\n")
  const first = lines.findIndex((line) => rules.some((rule) => line.startsWith(`${rule}: `)))
  return first < 0 ? undefined : lines.slice(first, first + 2)
}

/** Runs one round; returns the broken rules it shows. */
export const round = (
  folder: string,
  { only, rules, seed }: Omit<Hunt, "millis">,
  number: number,
): Effect.Effect<ReadonlyArray<string> | undefined> => {
  const args = ["--seed", `${seed}`, "--round", `${number}`, "--seconds", "1", "--only", only]
  return Effect.map(printed(folder, args), (text) => {
    if (!/^seed \d+$/m.test(text)) throw new Error(`torture did not run:\n${text}`)
    return reportOf(text, rules)
  })
}

/** Undefined when the fault is not caught in time. */
export const hunt = (folder: string, options: Hunt): Effect.Effect<Caught | undefined> =>
  Effect.gen(function* () {
    const began = now()
    for (let number = 1; now() - began < options.millis; number += 1) {
      const report = yield* round(folder, options, number)
      if (report !== undefined) return { round: number, millis: now() - began, report }
    }
    return undefined
  })
