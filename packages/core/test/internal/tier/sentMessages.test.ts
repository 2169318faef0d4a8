/** Which changes an arbiter that notifies has published a message for. */
import { expect, it } from "@effect/vitest"
import type { Tier } from "@larder/core"
import { Effect } from "effect"
import { noCounts } from "../../../src/internal/observe/counters.ts"
import { countingMessages } from "../../../src/internal/tier/sentMessages.ts"

const page = { last: 1, floor: 0, dropFloor: 0, marks: [] }

/** An arbiter of fixed answers. */
const arbiter = (
  decision: Tier.Committed["decision"],
  version: number,
  notifies: boolean,
): Tier.Arbiter => ({
  acquire: () => Effect.succeed({ _tag: "Won", token: 1 }),
  renew: () => Effect.succeed(true),
  release: () => Effect.void,
  commit: () => Effect.succeed({ decision, lastMark: 0 }),
  commitAll: (commits) =>
    Effect.succeed(commits.map((_, i) => (i === 0 ? undefined : { decision, lastMark: 0 }))),
  write: () => Effect.succeed({ version, time: 0, lastMark: 0 }),
  mark: () => Effect.succeed({ ...page, number: 1 }),
  marks: () => Effect.succeed({ ...page, time: 0 }),
  listen: notifies ? () => Effect.void : undefined,
})

const sent = (
  use: (arbiter: Tier.Arbiter) => Effect.Effect<unknown, unknown>,
  { decision = "Stored", notifies = true, version = 5 } = {} as {
    decision?: Tier.Committed["decision"]
    notifies?: boolean
    version?: number
  },
) =>
  Effect.gen(function* () {
    const counters = noCounts([])
    yield* use(countingMessages(arbiter(decision, version, notifies), counters))
    return counters.messagesSent
  })

const commit = { key: "k", token: 1, envelope: new Uint8Array(), lifeMillis: 1 }

it.effect("a commit counts if it was stored, one by one and among many", () =>
  Effect.gen(function* () {
    const one = (arbiter: Tier.Arbiter) => arbiter.commit("k", 1, commit.envelope, 1)
    const many = (arbiter: Tier.Arbiter) => arbiter.commitAll!([commit, commit, commit])
    expect(yield* sent(one)).toBe(1)
    expect(yield* sent(many)).toBe(2)
    expect(yield* sent(one, { decision: "Superseded" })).toBe(0)
    expect(yield* sent(many, { decision: "Lost" })).toBe(0)
  }),
)

it.effect("a change counts unless a newer one has overtaken it; a mark always does", () =>
  Effect.gen(function* () {
    const now = (arbiter: Tier.Arbiter) => arbiter.write("k", { _tag: "Expire" }, 0)
    const delayed = (arbiter: Tier.Arbiter) => arbiter.write("k", { _tag: "Remove", at: 5 }, 0)
    expect(yield* sent(now)).toBe(1)
    expect(yield* sent(delayed)).toBe(1)
    expect(yield* sent(delayed, { version: 6 })).toBe(0)
    expect(yield* sent((arbiter) => arbiter.mark(["tag"], true, 0))).toBe(1)
  }),
)

it.effect("nothing counts where the arbiter does not notify", () =>
  Effect.gen(function* () {
    const all = (arbiter: Tier.Arbiter) =>
      Effect.all([
        arbiter.mark(["tag"], true, 0),
        arbiter.write("k", { _tag: "Expire" }, 0),
        arbiter.commit("k", 1, commit.envelope, 1),
      ])
    expect(yield* sent(all, { notifies: false })).toBe(0)
  }),
)
