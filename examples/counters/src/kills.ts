/** Kills processes that count, and compares what they had counted with what the source has. */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Data, Effect, Schema } from "effect"
import type { Way } from "./counters.ts"
import * as Protocol from "./protocol.ts"

export class ProcessFailed extends Data.TaggedError("ProcessFailed")<{ readonly code: unknown }> {
  override get message(): string {
    return `A process that counts ended with ${this.code}; its output is above`
  }
}

export interface Run {
  readonly way: Way
  readonly store: Protocol.Store
}

export interface Settings {
  readonly kills: number
  /** How many views a process has counted, at least, when it is killed. */
  readonly views: number
  readonly seed: number
}

/** What was left of the views of processes that were killed. */
export interface Left {
  /** Views that were counted, as the processes said. */
  readonly acknowledged: number
  /** Views that the source has in the end. */
  readonly stored: number
  /** Views that were counted and that the source does not have. */
  readonly lost: number
}

export interface Counted extends Run, Left, Protocol.Measured {}

const main = fileURLToPath(new URL("./countMain.ts", import.meta.url))

interface Child extends Run {
  readonly folder: string
  readonly mode: (typeof Protocol.modes)[number]
  readonly seed: string
}

/** Runs a process until it ends, or until it has printed so many lines and is killed; returns its output. */
const outputOf = (
  { folder, mode, seed, store, way }: Child,
  lines = Infinity,
): Effect.Effect<string, ProcessFailed> =>
  Effect.callback((resume) => {
    const child = spawn(process.execPath, [main, way, store, folder, mode, seed], {
      stdio: ["ignore", "pipe", "inherit"],
    })
    let output = ""
    let printed = 0
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk
      printed += chunk.split("\n").length - 1
      if (printed >= lines) child.kill("SIGKILL")
    })
    // What is in the pipe after the kill was printed before it.
    child.on("close", (code, signal) =>
      resume(
        code === 0 || (signal === "SIGKILL" && printed >= lines)
          ? Effect.succeed(output)
          : Effect.fail(new ProcessFailed({ code: code ?? signal })),
      ),
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "larder-counters-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })),
)

/** How often each line is there; the last one counts only if it is whole. */
export const tally = (output: string): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const line of output.split("\n").slice(0, -1)) counts.set(line, (counts.get(line) ?? 0) + 1)
  return counts
}

const sum = (numbers: Iterable<number>) => [...numbers].reduce((all, one) => all + one, 0)

/** Compares page by page: what one page has too many of makes up for nothing. */
export const compare = (
  acknowledged: ReadonlyMap<string, number>,
  stored: Readonly<Record<string, number>>,
): Left => ({
  acknowledged: sum(acknowledged.values()),
  stored: sum(Object.values(stored)),
  lost: sum([...acknowledged].map(([page, views]) => Math.max(0, views - (stored[page] ?? 0)))),
})

/** Kills processes, one after the other, and lets another one flush what they have left. */
export const killed = (run: Run, { kills, seed, views }: Settings) =>
  Effect.gen(function* () {
    const child = { ...run, folder: yield* folder }
    let output = ""
    for (let kill = 0; kill < kills; kill += 1) {
      const said = yield* outputOf({ ...child, mode: "count", seed: `${seed} ${kill}` }, views)
      output += said.slice(0, said.lastIndexOf("\n") + 1)
    }
    const drained = yield* outputOf({ ...child, mode: "drain", seed: `${seed}` })
    return compare(tally(output), yield* Schema.decodeEffect(Protocol.Totals)(drained))
  }).pipe(Effect.scoped)

/** What a view costs in a process that is not killed. */
const measured = (run: Run, { seed }: Settings) =>
  Effect.gen(function* () {
    const child = { ...run, folder: yield* folder, seed: `${seed}`, mode: "measure" } as const
    return yield* Schema.decodeEffect(Protocol.MeasuredText)(yield* outputOf(child))
  }).pipe(Effect.scoped)

export const count = (run: Run, settings: Settings) =>
  Effect.gen(function* () {
    const left = yield* killed(run, settings)
    const counted: Counted = { ...run, ...left, ...(yield* measured(run, settings)) }
    return counted
  })

/** Each way, with the outboxes that it can have. */
export const runs: ReadonlyArray<Run> = [
  { way: "through", store: "memory" },
  { way: "behind", store: "memory" },
  { way: "behind", store: "sqlite" },
  { way: "merged", store: "memory" },
  { way: "merged", store: "sqlite" },
]
