/** Starts the processes that run tests, sends them requests, and kills those that do not answer. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type Answer, lines, type Request, send } from "../worker/protocol.ts"
import { type Settings, toEnvironment } from "../worker/settings.ts"

const host = fileURLToPath(new URL("../worker/host.ts", import.meta.url))

/** `undefined`: the worker was silent for too long, or its process ended. */
type Said = Answer | undefined

export interface Worker {
  /** The outcome of loading the test files. */
  readonly ready: Extract<Answer, { readonly _tag: "Ready" }>
  /** Waits while the worker sends a sign of life at least every `quiet` ms. */
  readonly ask: (request: Request, quiet: number) => Promise<Said>
  readonly kill: () => void
}

/** A worker did not start; the message has its output. */
export class WorkerFailed extends Error {}

export interface Workers {
  /** `undefined` when nothing loads with the mutant `active`. */
  readonly open: (active: number) => Promise<Worker | undefined>
  readonly close: () => void
}

/** The limit for loading the test files, ms. */
const startMillis = 120_000
/** How much of a failed worker's output to show. */
const shownCharacters = 4_000

/** The messages of one worker, and the pending wait for one. */
const inbox = () => {
  let deliver: ((said: Said) => void) | undefined
  let timer: NodeJS.Timeout | undefined
  let quiet = 0
  const settle = (said: Said) => {
    clearTimeout(timer)
    deliver?.(said)
    deliver = undefined
  }
  const wait = () => {
    clearTimeout(timer)
    timer = setTimeout(() => settle(undefined), quiet)
  }
  return {
    next: (millis: number): Promise<Said> =>
      new Promise((resolve) => {
        quiet = millis
        deliver = resolve
        wait()
      }),
    take: (answer: Answer) => {
      if (answer._tag === "Alive") {
        if (deliver !== undefined) wait()
      } else settle(answer)
    },
    end: () => settle(undefined),
  }
}

type Inbox = ReturnType<typeof inbox>

/** Kills a process group: the host and the worker it forked. */
const killGroup = ({ pid }: ChildProcess): void => {
  if (pid === undefined) return
  try {
    process.kill(-pid, "SIGKILL")
  } catch {
    // The group has ended already.
  }
}

type Shared = Pick<Settings, "root" | "tests" | "placements"> & {
  /** The instrumented code of each source, by its absolute path. */
  readonly code: ReadonlyMap<string, string>
}

export const make = async (
  shared: Shared,
  environment: Readonly<Record<string, string>>,
): Promise<Workers> => {
  const folder = mkdtempSync(join(tmpdir(), "larder-mutate-"))
  const { code, ...common } = shared
  const places = {
    socket: join(folder, "socket"),
    cache: join(folder, "modules"),
    code: join(folder, "code.json"),
  }
  // Every worker reads the code from there: editing a source during the run changes no numbers.
  writeFileSync(places.code, JSON.stringify(Object.fromEntries(code)))
  const inboxes = new Map<number, Inbox>()
  const sockets = new Map<number, Socket>()
  const running = new Set<ChildProcess>()

  const server = createServer((socket) => {
    let from: number | undefined
    const take = lines((line) => {
      const answer = JSON.parse(line) as Answer
      if (answer._tag === "Ready") {
        from = answer.worker
        sockets.set(from, socket)
      }
      inboxes.get(from ?? -1)?.take(answer)
    })
    socket.setEncoding("utf8").on("data", take)
    socket.on("error", () => undefined)
    socket.on("close", () => inboxes.get(from ?? -1)?.end())
  })
  await new Promise<void>((resolve) => {
    server.listen(places.socket, resolve)
  })

  const start = (settings: Settings, box: Inbox) => {
    let written = ""
    const child = spawn(process.execPath, [host], {
      cwd: shared.root,
      // A process group of its own, so that it can be killed as a whole.
      detached: true,
      // The host ends when its input closes, and so when this process dies.
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...environment, ...toEnvironment(settings) },
    })
    running.add(child)
    const keep = (chunk: Buffer) => {
      written = (written + chunk.toString()).slice(-shownCharacters)
    }
    child.stdout.on("data", keep)
    child.stderr.on("data", keep)
    child.on("exit", () => {
      running.delete(child)
      box.end()
    })
    return { child, written: () => written }
  }

  let last = 0
  const open = async (active: number): Promise<Worker | undefined> => {
    const worker = (last += 1)
    const box = inbox()
    inboxes.set(worker, box)
    const began = box.next(startMillis)
    const { child, written } = start({ ...common, ...places, worker, active }, box)
    const kill = () => {
      killGroup(child)
      inboxes.delete(worker)
      sockets.delete(worker)
    }
    const ready = await began
    if (ready?._tag === "Ready") {
      return {
        ready,
        kill,
        ask: (request, quiet) => {
          const answer = box.next(quiet)
          const socket = sockets.get(worker)
          if (socket?.writable === true) send(socket, request)
          else box.end()
          return answer
        },
      }
    }
    kill()
    if (active !== 0) return undefined
    throw new WorkerFailed(`a worker did not load the tests; it wrote:\n${written()}`)
  }

  const close = () => {
    for (const child of running) killGroup(child)
    server.close()
    rmSync(folder, { recursive: true, force: true })
  }
  return { open, close }
}
