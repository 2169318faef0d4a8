/** Worker processes: forks them, sends commands, kills them and forks them again. */
import { type ChildProcess, fork } from "node:child_process"
import { closeSync, openSync } from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Command, Config, Reply } from "../worker/Config.ts"

const roundWorker = fileURLToPath(new URL("../worker/main.ts", import.meta.url))

const { env: inherited } = process

const living = new Set<ChildProcess>()

/** A stopped process does not notice that this one has ended. */
process.once("exit", () => {
  for (const child of living) child.kill("SIGKILL")
})

/** What every worker process answers; one that is ready says `Ready`. */
interface Tagged {
  readonly _tag: string
  readonly operations?: number
}

type IsReply<R extends Tagged> = (reply: R) => boolean

/** Matches replies of a kind. */
export const replies =
  <R extends Tagged = Reply>(tag: R["_tag"]): IsReply<R> =>
  (reply) =>
    reply._tag === tag

export interface Worker<C extends object = Command, R extends Tagged = Reply> {
  readonly name: string
  readonly tell: (command: C) => void
  /** Waits for a reply to `command`; returns `false` after the timeout. */
  readonly ask: (command: C, isReply: IsReply<R>, millis: number) => Effect.Effect<boolean>
  readonly signal: (signal: NodeJS.Signals) => void
  /** Kills the process without warning, and waits until it is gone. */
  readonly kill: Effect.Effect<void>
  /** Forks the process again, and waits until it is ready; returns `false` after the timeout. */
  readonly start: Effect.Effect<boolean>
  readonly operations: () => number
}

/** The configuration of a node's n-th process. */
export type ConfigOf<A = Config> = (generation: number) => A

const exited = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) resume(Effect.void)
    else child.once("exit", () => resume(Effect.void))
  })

const readyMillis = 40_000

/** The compile cache, shared by all processes. */
const compiled = path.join(tmpdir(), "larder-torture-compiled")

class Process<C extends object, R extends Tagged> implements Worker<C, R> {
  readonly name: string
  readonly #script: string
  readonly #configOf: ConfigOf<unknown>
  readonly #errors: string
  #generation = 0
  #child: ChildProcess | undefined
  #before = 0
  #count = 0
  readonly #waiting = new Set<{ readonly isReply: IsReply<R>; readonly resume: () => void }>()

  constructor(name: string, errors: string, configOf: ConfigOf<unknown>, script: string) {
    this.name = name
    this.#script = script
    this.#errors = errors
    this.#configOf = configOf
  }

  operations = (): number => this.#before + this.#count

  tell = (command: C): void => {
    if (this.#child?.connected === true) this.#child.send(command)
  }

  signal = (signal: NodeJS.Signals): void => void this.#child?.kill(signal)

  ask = (command: C, isReply: IsReply<R>, millis: number): Effect.Effect<boolean> =>
    this.#heard(isReply, millis, () => this.tell(command))

  get start(): Effect.Effect<boolean> {
    return this.#heard(replies<R>("Ready"), readyMillis, () => this.#fork())
  }

  get kill(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const child = this.#child
      if (child === undefined) return Effect.void
      child.kill("SIGKILL")
      return exited(child)
    })
  }

  #fork(): void {
    this.#generation += 1
    this.#before += this.#count
    this.#count = 0
    const errors = openSync(this.#errors, "a")
    const child = fork(this.#script, [JSON.stringify(this.#configOf(this.#generation))], {
      stdio: ["ignore", errors, errors, "ipc"],
      env: { ...inherited, NODE_COMPILE_CACHE: compiled },
    })
    closeSync(errors)
    this.#child = child
    living.add(child)
    child.once("exit", () => living.delete(child))
    child.on("error", () => undefined)
    child.on("message", (reply: R) => this.#hear(reply))
  }

  #hear(reply: R): void {
    if (reply._tag === "Count") this.#count = reply.operations ?? 0
    for (const waiting of this.#waiting) if (waiting.isReply(reply)) waiting.resume()
  }

  #heard(isReply: IsReply<R>, millis: number, begin: () => void): Effect.Effect<boolean> {
    const heard = Effect.callback<boolean>((resume) => {
      const waiting = { isReply, resume: () => resume(Effect.succeed(true)) }
      this.#waiting.add(waiting)
      begin()
      return Effect.sync(() => this.#waiting.delete(waiting))
    })
    return Effect.map(Effect.timeoutOption(heard, millis), ({ _tag }) => _tag === "Some")
  }
}

/** `start` starts it; closing the scope kills it. `script` is the program of the process. */
export const makeOf = <C extends object, R extends Tagged>(
  name: string,
  errors: string,
  configOf: ConfigOf<unknown>,
  script: string,
): Effect.Effect<Worker<C, R>, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new Process<C, R>(name, errors, configOf, script)),
    (worker) => worker.kill,
  )

/** A node, or the observer, of a round. */
export const make = (
  name: string,
  errors: string,
  configOf: ConfigOf,
): Effect.Effect<Worker, never, Scope.Scope> => makeOf(name, errors, configOf, roundWorker)
