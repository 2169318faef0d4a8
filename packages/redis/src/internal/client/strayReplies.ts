/**
 * Ends a connection on which a reply comes that no command waits for, or a reply to a subscription
 * that is none. ioredis throws for some of these outside of any promise, which would end the process.
 */
import type { Redis } from "ioredis"

interface Command {
  readonly name: string
  readonly args: ReadonlyArray<unknown>
  readonly resolve: (reply: unknown) => void
  readonly reject: (error: Error) => void
}

interface Item {
  readonly command: Command
}

/** The private parts of ioredis that hold the commands without a reply. */
interface Inner {
  commandQueue: { shift: () => Item | undefined }
  resetCommandQueue: () => void
  flushQueue: (...args: ReadonlyArray<unknown>) => void
}

const noop = (): void => undefined

/** Guards a connection that is not connected yet. */
export const guardReplies = (client: Redis): void => {
  const inner = client as unknown as Inner
  let isFlushing = false
  const end = () => client.disconnect(true)

  const stray: Item = { command: { name: "", args: [], resolve: noop, reject: noop } }

  /** Under this name ioredis does not look into a reply; the count of subscriptions is a number. */
  const nameless = (item: Item): Item => {
    const { args, reject, resolve } = item.command
    const settle = (reply: unknown) => {
      if (typeof reply === "number") return resolve.call(item.command, reply)
      reject.call(item.command, new Error("Connection is closed."))
      end()
    }
    const command = { name: "", args, resolve: settle, reject: reject.bind(item.command) }
    return { ...item, command }
  }

  const guard = () => {
    const queue = inner.commandQueue
    const shift = queue.shift.bind(queue)
    queue.shift = () => {
      const item = shift()
      if (isFlushing) return item
      if (item === undefined) {
        end()
        return stray
      }
      const { args, name } = item.command
      // In the older protocol the confirmation is a reply like any other.
      const isPushed = (client as { condition?: { protocol?: number } }).condition?.protocol === 3
      return isPushed && args.length === 1 && name.endsWith("subscribe") ? nameless(item) : item
    }
  }
  const reset = inner.resetCommandQueue.bind(client)
  inner.resetCommandQueue = () => {
    reset()
    guard()
  }
  const flush = inner.flushQueue.bind(client)
  inner.flushQueue = (...args) => {
    isFlushing = true
    try {
      flush(...args)
    } finally {
      isFlushing = false
    }
  }
  guard()
}
