/**
 * Wakes fibers that wait for another node's lookup of a key: when the key has changed, or its lease is
 * free. Race: a fiber asks the arbiter, and the message of a change arrives before the answer from before
 * the change. So a signal remembers messages since the fiber began to ask.
 */
import * as Effect from "effect/Effect"

/** One fiber's interest in messages about one key. */
export interface ChangeSignal {
  /** Forgets earlier messages: the fiber asks the arbiter now. */
  readonly reset: () => void
  /** Waits at most as long as `pause` for a message since the last {@link reset}. */
  readonly wait: (pause: Effect.Effect<void>) => Effect.Effect<void>
  readonly close: () => void
}

interface Listener {
  isHeard: boolean
  wake: (() => void) | undefined
}

export class ChangeSignals {
  readonly #listeners = new Map<string, Set<Listener>>()

  open(k: string): ChangeSignal {
    const listener: Listener = { isHeard: false, wake: undefined }
    const all = this.#listeners.get(k) ?? new Set()
    this.#listeners.set(k, all.add(listener))
    const message = Effect.callback<void>((resume) => {
      if (listener.isHeard) return resume(Effect.void)
      listener.wake = () => resume(Effect.void)
    })
    return {
      reset: () => {
        listener.isHeard = false
      },
      wait: (pause) => Effect.raceFirst(message, pause),
      close: () => {
        all.delete(listener)
        if (all.size === 0) this.#listeners.delete(k)
      },
    }
  }

  /** Takes a message that the key has changed or its lease is free. Says whether a fiber waits for one. */
  hear(k: string): boolean {
    const listeners = this.#listeners.get(k)
    if (listeners === undefined) return false
    for (const listener of listeners) {
      listener.isHeard = true
      listener.wake?.()
    }
    return true
  }

  /** Keys with a signal. */
  get size(): number {
    return this.#listeners.size
  }
}
