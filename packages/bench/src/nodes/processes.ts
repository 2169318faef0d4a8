/** Nodes in processes of their own. */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { after } from "../clock.ts"
import type { Command, Config, Reply } from "./protocol.ts"

const script = fileURLToPath(new URL("./node.ts", import.meta.url))
const patienceMillis = 60_000

type Of<Tag extends Reply["_tag"]> = Extract<Reply, { readonly _tag: Tag }>

export interface NodeProcess {
  readonly tell: (command: Command) => void
  /** The next reply of this kind that `accepts`; rejects if the process ends or takes too long. */
  readonly next: <Tag extends Reply["_tag"]>(
    tag: Tag,
    accepts?: (reply: Of<Tag>) => boolean,
  ) => Promise<Of<Tag>>
  readonly end: () => void
}

const nodeOf = (child: ChildProcess): NodeProcess => ({
  tell: (command) => void child.send(command),
  next: (tag, accepts = () => true) =>
    new Promise((resolve, reject) => {
      const leave = () => {
        child.off("message", hear)
        child.off("exit", ended)
        cancel()
      }
      const hear = (reply: Reply): void => {
        if (reply._tag !== tag || !accepts(reply as Of<typeof tag>)) return
        leave()
        resolve(reply as Of<typeof tag>)
      }
      const ended = () => {
        leave()
        reject(new Error(`a node ended before it said ${tag}`))
      }
      const cancel = after(patienceMillis, () => {
        leave()
        reject(new Error(`a node did not say ${tag} in time`))
      })
      child.on("message", hear)
      child.once("exit", ended)
    }),
  end: () => void child.kill("SIGKILL"),
})

/** Starts a node for each configuration, all at once; ends them when `use` has ended. */
export const withNodes = async <A>(
  configs: ReadonlyArray<Config>,
  use: (nodes: ReadonlyArray<NodeProcess>) => Promise<A>,
): Promise<A> => {
  const nodes = configs.map((config) =>
    nodeOf(
      fork(script, [JSON.stringify(config)], { stdio: ["ignore", "ignore", "inherit", "ipc"] }),
    ),
  )
  try {
    await Promise.all(nodes.map(({ next }) => next("Ready")))
    return await use(nodes)
  } finally {
    for (const { end } of nodes) end()
  }
}
