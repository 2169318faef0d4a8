/** Plays a plan on simulated nodes, with everything in the order that it had on real ones. */
import * as Effect from "effect/Effect"
import type { History } from "../../src/history/History.ts"
import type { Plan, Step } from "../../src/plan/Plan.ts"
import { simulate } from "../../src/run/simulate.ts"
import type { Pause } from "../../src/run/source.ts"
import { nameOf, type Played } from "./RealWorld.ts"

/** ms of one move: all that follows from it has arrived by then. */
const moveMillis = 50
/** ms. The simulator gives each step one. */
const stepMillis = 1

const moved = (steps: ReadonlyArray<Step>, { moves }: Played): ReadonlyArray<Step> => {
  let now = 0
  const until = (move: number): Step => {
    const wait = moveMillis * move - now
    now += wait + stepMillis
    return { _tag: "wait", millis: wait }
  }
  const all = steps.flatMap((step, index) =>
    step._tag === "wait" ? [] : [until(moves.steps[index]!), step],
  )
  return [...all, until(moves.end)]
}

/** Ends lookups in the moves in which the real ones ended; each key has an order of its own. */
const pauseOf =
  ({ moves }: Played): Pause =>
  (lookup) => {
    const move = moves.lookups.get(nameOf(lookup))
    // A real lookup that was interrupted waited for nothing else.
    return move === undefined
      ? Effect.never
      : Effect.sleep(Math.max(0, moveMillis * move + stepMillis - lookup.begin.at))
  }

/** ms. By node, how much longer a message takes: orders in which the messages of one move may arrive. */
const orders: ReadonlyArray<(node: number) => number> = [
  () => 0,
  (node) => node,
  (node) => 2 - node,
  (node) => (node + 1) % 3,
  (node) => (node + 2) % 3,
]

/** What the simulator makes of it, for each order of the messages of one move. */
export const replays = ({ config, steps }: Plan, played: Played): ReadonlyArray<History> =>
  orders
    .slice(0, config.nodes === 2 ? 3 : orders.length)
    .map((messageDelay) =>
      simulate({ config, steps: moved(steps, played) }, { pause: pauseOf(played), messageDelay }),
    )
