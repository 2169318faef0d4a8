/** Decides what a caller gets, and reports the decision to the instrument. */
import * as Decision from "../../Decision.ts"
import type { Engine } from "./engine.ts"

export const decideNext = (
  { observer }: Engine,
  key: string,
  situation: Decision.Situation,
): Decision.Action => {
  const action = Decision.next(situation)
  observer.decided?.({ larder: observer.larder, key, situation, action })
  return action
}
