/**
 * Turns of the event loop for work that is more than a little. One piece of it is done
 * in a turn, so that everything else in the process has its turn in between.
 */
import * as Effect from "effect/Effect"
import type { Soon } from "./soon.ts"

export class Turns {
  readonly #soon: Soon
  readonly #waiting = new Set<() => void>()

  constructor(soon: Soon) {
    this.#soon = soon
  }

  /** Waits for a turn that no other piece of work has. First come, first served. */
  readonly next: Effect.Effect<void> = Effect.callback((resume) => {
    const begin = () => resume(Effect.void)
    this.#waiting.add(begin)
    if (this.#waiting.size === 1) this.#soon(this.#serve)
    return Effect.sync(() => this.#waiting.delete(begin))
  })

  readonly #serve = (): void => {
    for (const begin of this.#waiting) {
      // Taken out after it has begun: what it asks for meanwhile is for a later turn.
      begin()
      this.#waiting.delete(begin)
      break
    }
    if (this.#waiting.size > 0) this.#soon(this.#serve)
  }
}
