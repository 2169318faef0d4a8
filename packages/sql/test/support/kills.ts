/** Kills processes that put values behind, and counts what the source lacks of what was acknowledged. */
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { DatabaseSync } from "node:sqlite"
import { fileURLToPath } from "node:url"

const putter = fileURLToPath(new URL("putter.ts", import.meta.url))

export interface Killed {
  /** Keys of which at least one value was acknowledged. */
  readonly keys: number
  /** Keys for which the source has an older value than the last one that was acknowledged, or none. */
  readonly lost: number
  readonly acknowledged: number
}

interface Run {
  readonly store: "memory" | "sqlite" | "redis"
  /** The file or the URL of the store. */
  readonly where: string
  /** The file of the source. */
  readonly source: string
}

/** Runs a process until it has printed so many lines, and kills it. */
const killed = ({ source, store, where }: Run, name: string, lines: number) =>
  Effect.callback<ReadonlyArray<string>>((resume) => {
    const child = spawn(process.execPath, [putter, store, where, source, name, "put"], {
      stdio: ["ignore", "pipe", "inherit"],
    })
    let said = ""
    let count = 0
    child.stdout.on("data", (chunk) => {
      const text = String(chunk)
      said += text
      count += text.split("\n").length - 1
      if (count >= lines) child.kill("SIGKILL")
    })
    // What the pipe still has after the kill was acknowledged as well.
    child.on("close", () => {
      const whole = said.slice(0, said.lastIndexOf("\n") + 1)
      resume(Effect.succeed(whole.split("\n").slice(0, -1)))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/** Runs a process that ends by itself: one that flushes, or one that puts once and closes nothing. */
export const ended = (
  { source, store, where }: Run,
  mode: "drain" | "leave",
): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const child = spawn(process.execPath, [putter, store, where, source, mode, mode], {
      stdio: ["ignore", "inherit", "inherit"],
    })
    child.on("close", (code) =>
      resume(code === 0 ? Effect.void : Effect.die(new Error(`the process ended with ${code}`))),
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })

export const killAll = (run: Run, kills: number, lines: number): Effect.Effect<Killed> =>
  Effect.gen(function* () {
    const acknowledged = new Map<string, number>()
    let count = 0
    for (let kill = 0; kill < kills; kill += 1) {
      for (const line of yield* killed(run, `run${kill}`, lines + kill * 97)) {
        const [key = "", value] = line.split(" ")
        acknowledged.set(key, Number(value))
        count += 1
      }
    }
    yield* ended(run, "drain")
    const database = new DatabaseSync(run.source)
    const rows = database.prepare("select key, value from prices").all()
    database.close()
    const stored = new Map(rows.map(({ key, value }) => [String(key), Number(value)]))
    const lost = [...acknowledged].filter(([key, value]) => (stored.get(key) ?? 0) < value)
    return { keys: acknowledged.size, lost: lost.length, acknowledged: count }
  })
