/** A source of messages of other nodes: the arbiter, or a backplane. */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Engine } from "../state/engine.ts"
import { detected } from "./gap.ts"

/** Where the messages of other nodes come from. */
export interface Source {
  /** Subscribes. The result ends when the subscription has ended. */
  readonly subscribe: Effect.Effect<Effect.Effect<unknown, unknown>, unknown, Scope.Scope>
  /** Tiers have entries from before this node could hear of changes to them. */
  readonly outlives: boolean
}

/** Applies a message. A memory tier of the user may throw: then an outdated entry may be left, as after a gap. */
export const safely = (engine: Engine, apply: () => void): void => {
  try {
    apply()
  } catch {
    detected(engine, engine.stack.arbiter, "hole", undefined)
  }
}
