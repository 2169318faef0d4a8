import type { Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import type { Request, Road } from "../../src/cluster/way.ts"

/** Counts the requests of one process to a tier, and passes them on unharmed. */
export class CountedRoad implements Road {
  /** Requests without an answer. */
  running = 0
  /** Requests that began, and that ended. */
  events = 0
  readonly #arrived: (message: Tier.Message) => void
  readonly #answered: () => void

  constructor(answered: () => void, arrived: (message: Tier.Message) => void) {
    this.#answered = answered
    this.#arrived = arrived
  }

  request<A>(_: string, request: Request<A>): Request<A> {
    return Effect.acquireUseRelease(
      Effect.sync(() => this.#count(1)),
      () => Effect.tap(request, () => Effect.sync(this.#answered)),
      () => Effect.sync(() => this.#count(-1)),
    )
  }

  #count(step: 1 | -1): void {
    this.running += step
    this.events += 1
  }

  opened(): void {}

  listens(): void {}

  arrives(message: Tier.Message, pass: () => void): void {
    this.#arrived(message)
    pass()
  }
}
