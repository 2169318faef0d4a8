/** A trace, from a cold start. */
import type { Simulated } from "./Simulated.ts"
import type { Trace } from "./Trace.ts"

/** How many of the requests were hits. */
export const replay = ({ keys, requests }: Trace, cache: Simulated): number => {
  let hits = 0
  for (let at = 0; at < requests.length; at++) {
    if (cache.access(keys[requests[at]!]!)) hits++
  }
  return hits
}
