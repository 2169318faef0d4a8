/** The name of a larder in the messages of a backplane. */
import type { Engine } from "../state/engine.ts"

let made = 0

/**
 * A name that no other larder has. The count tells the larders of this process apart, whose seed may be
 * the same; the time and the random number tell processes apart.
 */
export const nodeName = ({ clock, random }: Engine): string => {
  made += 1
  const parts = [clock.currentTimeMillisUnsafe(), Math.floor(random.nextDoubleUnsafe() * 2 ** 48)]
  return [made, ...parts].map((part) => part.toString(36)).join("-")
}
