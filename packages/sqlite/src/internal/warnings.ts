/**
 * The warnings of one tier: each topic at most once a minute, the same text at most once an hour.
 */
import { textQuietMillis, topicQuietMillis } from "./limits.ts"

interface Told {
  readonly at: number
  readonly message: string
}

export class Warnings {
  readonly #tell: (message: string) => void
  readonly #told = new Map<string, Told>()

  constructor(tell: (message: string) => void) {
    this.#tell = tell
  }

  /** Topics are fixed names in the code, so there are few. */
  warn(topic: string, now: number, message: string): void {
    const told = this.#told.get(topic)
    if (told !== undefined) {
      const quiet = told.message === message ? textQuietMillis : topicQuietMillis
      if (Math.abs(now - told.at) < quiet) return
    }
    this.#told.set(topic, { at: now, message })
    this.#tell(message)
  }
}
