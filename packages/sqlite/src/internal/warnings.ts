/** The warnings of one tier, each topic once a minute at most, the same text once an hour. */

const minute = 60_000
const hour = 60 * minute

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

  /** The topic names the place in the code, so topics are few. */
  warn(topic: string, now: number, message: string): void {
    const told = this.#told.get(topic)
    if (told !== undefined) {
      const quiet = told.message === message ? hour : minute
      if (Math.abs(now - told.at) < quiet) return
    }
    this.#told.set(topic, { at: now, message })
    this.#tell(message)
  }
}
