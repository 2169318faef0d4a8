/** The demo in a process of its own, followed by the lines that it prints. */
import { fileURLToPath } from "node:url"
import { Duration, Effect, Ref, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { type Phase, phases } from "../../src/phases.ts"

export interface DemoProcess {
  /** The addresses of metrics that it has named so far. */
  readonly metrics: Effect.Effect<ReadonlyArray<string>>
  /** The phase that it said last. */
  readonly phase: Effect.Effect<Phase | undefined>
  readonly exitCode: Effect.Effect<number>
  /** Fails with all that the demo said when it ends before the effect does. */
  readonly whileItRuns: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

const phaseIn = (line: string): Phase | undefined => {
  const text = /^ *[\d.]+\/\d+ s (.{12})/.exec(line)?.[1]?.trim()
  return phases.find((phase) => phase === text)
}

/** Ends with the scope. */
export const start = Effect.fnUntraced(function* (...options: ReadonlyArray<string>) {
  const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url))
  const child = yield* ChildProcess.make(process.execPath, [main, ...options], {
    stderr: "inherit",
    forceKillAfter: Duration.seconds(2),
  })
  const said = yield* Ref.make<ReadonlyArray<string>>([])
  yield* child.stdout.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.runForEach((line) => Ref.update(said, (lines) => [...lines, line])),
    Effect.orDie,
    Effect.forkScoped,
  )
  const lines = Ref.get(said)
  const exitCode = Effect.orDie(child.exitCode)
  const ended = Effect.flatMap(exitCode, () =>
    Effect.flatMap(lines, (all) => Effect.die(new Error(`the demo ended:\n${all.join("\n")}`))),
  )
  const self: DemoProcess = {
    metrics: Effect.map(lines, (all) =>
      all.flatMap((line) => /^metrics .*at (http\S+)$/.exec(line)?.[1] ?? []),
    ),
    phase: Effect.map(lines, (all) =>
      all.reduce<Phase | undefined>((last, line) => phaseIn(line) ?? last, undefined),
    ),
    exitCode,
    whileItRuns: (effect) => Effect.raceFirst(effect, ended),
  }
  return self
})
