/** Counts the messages that an arbiter publishes for the changes of one larder. */
import * as Effect from "effect/Effect"
import type { Arbiter } from "../../Tier.ts"
import type { Counters } from "../observe/counters.ts"

/** The arbiter, counting. An arbiter that does not notify is returned as it is. */
export const countingMessages = (arbiter: Arbiter, counters: Counters): Arbiter => {
  if (arbiter.listen === undefined) return arbiter
  const sent = (count: number) => {
    counters.messagesSent += count
  }
  const { commitAll } = arbiter
  return {
    ...arbiter,
    commit: (...args) =>
      Effect.map(arbiter.commit(...args), (done) => {
        if (done.decision === "Stored") sent(1)
        return done
      }),
    commitAll:
      commitAll &&
      ((commits) =>
        Effect.map(commitAll(commits), (all) => {
          sent(all.filter((done) => done?.decision === "Stored").length)
          return all
        })),
    write: (key, write, known) =>
      Effect.map(arbiter.write(key, write, known), (written) => {
        // A delayed change that a newer one has overtaken changes nothing.
        const at = "at" in write ? write.at : undefined
        if (at === undefined || at === written.version) sent(1)
        return written
      }),
    mark: (...args) =>
      Effect.map(arbiter.mark(...args), (marked) => {
        sent(1)
        return marked
      }),
  }
}
