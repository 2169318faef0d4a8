/** A shared tier that can stand still: requests wait for it, and reach it when it goes on, wanted or not. */
import type { Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import { overNetwork } from "../chaos/network.ts"
import { wrapTier } from "../wrapTier.ts"

export class Hold {
  #isHeld = false
  #waiting: Array<() => void> = []

  get isHeld(): boolean {
    return this.#isHeld
  }

  begin(): void {
    this.#isHeld = true
  }

  end(): void {
    const waiting = this.#waiting
    this.#waiting = []
    this.#isHeld = false
    for (const go of waiting) go()
  }

  /** A request that was sent arrives, also where its caller has given it up meanwhile. */
  readonly around = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      if (!this.#isHeld) return effect
      return Effect.flatMap(Effect.context<never>(), (context) =>
        Effect.callback<A, E>((resume) => {
          this.#waiting.push(() => {
            Effect.runForkWith(context)(effect).addObserver((exit) => resume(exit))
          })
        }),
      )
    })
}

/** The tier, over a network with faults of messages. */
export const heldBy = (hold: Hold, tier: Tier.ByteTier): Tier.ByteTier =>
  overNetwork(
    wrapTier(tier, () => ({
      around: ({ run }) => hold.around(run),
      listen: (listen, receive) => listen(receive),
    })),
  )
