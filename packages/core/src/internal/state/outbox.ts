/**
 * Changes of this node that the backplane has not taken yet. One message stands for all changes of a
 * key. Beyond a bound, one mark of everything takes their place: other nodes look more up than they
 * must, and miss nothing.
 */
import * as Effect from "effect/Effect"
import type { Message } from "../../Backplane.ts"
import { queuedMessages } from "../runtime/limits.ts"

type Body<M> = M extends unknown ? Omit<M, "node"> : never
export type Changed = Extract<Body<Message>, { readonly _tag: "Changed" }>
export type Marked = Extract<Body<Message>, { readonly _tag: "Marked" }>

const nothing = (): void => {}

export class Outbox {
  readonly #keys = new Map<string, Changed>()
  #marks: ReadonlyArray<Marked> = []
  /** Taken by a sender, and not sent yet. */
  readonly #underWay = new Set<Changed | Marked>()
  readonly #allSent = new Set<() => void>()
  /** Without a backplane in use, nothing is kept. */
  isInUse = false
  /** Called for each change that waits. */
  onWaiting = nothing

  /** Nothing waits; some messages may be under way. */
  get isEmpty(): boolean {
    return this.#keys.size === 0 && this.#marks.length === 0
  }

  /** The number of messages that wait or are under way. */
  get unsent(): number {
    return this.#keys.size + this.#marks.length + this.#underWay.size
  }

  /** Waits until nothing waits and nothing is under way. */
  readonly allSent: Effect.Effect<void> = Effect.callback((resume) => {
    const end = () => resume(Effect.void)
    if (this.unsent === 0) return end()
    this.#allSent.add(end)
  })

  /** This node has changed a key. `version`: where an arbiter has ordered the change. */
  changed(key: string, isRemoval: boolean, version?: number): void {
    if (this.isInUse) this.#add({ _tag: "Changed", key, isRemoval, version })
  }

  /** This node has set a mark. `number`: where an arbiter has numbered it. */
  marked(tags: ReadonlyArray<string | undefined>, keepStale: boolean, number?: number): void {
    if (this.isInUse) this.#add({ _tag: "Marked", tags, keepStale, number })
  }

  /** Takes everything that waits. Until `sent` or `giveBack`, it is under way. */
  take(): ReadonlyArray<Changed | Marked> {
    const all = [...this.#marks, ...this.#keys.values()]
    this.#keys.clear()
    this.#marks = []
    for (const message of all) this.#underWay.add(message)
    return all
  }

  /** The backplane has taken a message. */
  sent(message: Changed | Marked): void {
    this.#underWay.delete(message)
    if (this.unsent > 0) return
    for (const end of this.#allSent) end()
    this.#allSent.clear()
  }

  /** Keeps messages that could not be sent, beside those that wait by now. */
  giveBack(messages: Iterable<Changed | Marked>): void {
    for (const message of messages) if (this.#underWay.delete(message)) this.#add(message)
  }

  #add(message: Changed | Marked): void {
    if (message._tag === "Marked") this.#marks = [...this.#marks, message]
    else {
      const known = this.#keys.get(message.key)
      this.#keys.set(message.key, known === undefined ? message : together(known, message))
    }
    this.#bound()
    this.onWaiting()
  }

  #bound(): void {
    if (this.#keys.size + this.#marks.length <= queuedMessages) return
    const keepsAll =
      this.#marks.every(({ keepStale }) => keepStale) &&
      [...this.#keys.values()].every(({ isRemoval }) => !isRemoval)
    this.#keys.clear()
    this.#marks = [{ _tag: "Marked", tags: [undefined], keepStale: keepsAll }]
  }
}

/** One message for two changes of a key: a removal among them drops the older values elsewhere. */
const together = (one: Changed, other: Changed): Changed => {
  const hasVersions = one.version !== undefined && other.version !== undefined
  return {
    ...other,
    isRemoval: one.isRemoval || other.isRemoval,
    version: hasVersions ? Math.max(one.version, other.version) : undefined,
  }
}
