/** A child process that ends with this one; its folder is removed with it. */
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as Effect from "effect/Effect"

export interface Child {
  readonly folder: string
  readonly pid: number
  readonly signal: (signal: NodeJS.Signals) => void
  readonly hasExited: () => boolean
}

const living = new Set<Child>()
let listening = false

/** One listener for all children: Node warns from the eleventh on. */
const killAllAtExit = (): void => {
  if (listening) return
  listening = true
  process.once("exit", () => {
    for (const child of living) {
      child.signal("SIGKILL")
      fs.rmSync(child.folder, { recursive: true, force: true })
    }
  })
}

/**
 * Kills the child and removes its folder when this process ends, however it ends: the watchdog's
 * standard input closes then.
 */
const watchdog = (pid: number, folder: string): ChildProcess => {
  const script = 'read _; kill -9 "$0"; rm -rf "$1"'
  const dog = spawn("/bin/sh", ["-c", script, String(pid), folder], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  })
  dog.on("error", () => undefined)
  dog.unref()
  const lead = dog.stdin as unknown as { readonly unref?: () => void } | null
  lead?.unref?.()
  return dog
}

const watched = (child: ChildProcess, pid: number, folder: string): Child => {
  const dog = watchdog(pid, folder)
  const gone = () => child.exitCode !== null || child.signalCode !== null
  const self: Child = {
    folder,
    pid,
    signal: (signal) => {
      child.kill(signal)
    },
    hasExited: gone,
  }
  living.add(self)
  killAllAtExit()
  child.once("exit", () => {
    living.delete(self)
    // End the watchdog before another process can get the child's id.
    dog.kill("SIGKILL")
  })
  return self
}

export interface Options {
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** The child's own folder: it is removed if this process ends first. */
  readonly folder: string
  /** The file to which the child's output is appended. */
  readonly log: string
  /** The user that runs it, for a program that refuses root. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
}

export const start = ({ command, args, folder, log, user }: Options): Effect.Effect<Child, Error> =>
  Effect.callback<Child, Error>((resume) => {
    const out = fs.openSync(log, "a")
    const child = spawn(command, args, { stdio: ["ignore", out, out], ...user })
    fs.closeSync(out)
    child.once("error", (cause) => {
      resume(Effect.fail(cause))
    })
    child.once("spawn", () => {
      if (child.pid !== undefined) resume(Effect.succeed(watched(child, child.pid, folder)))
    })
  })
