/** Random sequences of operations on one key, checked against laws 11, 12 and 20 on versions. */
import type { Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { strict as assert } from "node:assert"
import { arbitrated, type Arbitrated, checksThat, leaseMillis } from "./subject.ts"

const operations = [
  "acquire",
  "acquire",
  "force",
  "commit",
  "commit",
  "release",
  "renew",
  "set",
  "remove",
  "expire",
  "put",
  "drop",
] as const

interface Step {
  readonly operation: (typeof operations)[number]
  readonly wait: number
  /** Selects one of the tokens, and the distance of a put's version from the stored one. */
  readonly pick: number
}

const waits = [0, 0, 0, 1, 700, 11_000, 61_000]

const pickOf = <A>(all: ReadonlyArray<A>, index: number): A | undefined => all[index % all.length]

const drawn = (length: number): Effect.Effect<ReadonlyArray<Step>> =>
  Effect.forEach(Array.from({ length }), () =>
    Effect.map(Random.nextIntBetween(0, 2 ** 30), (number) => ({
      operation: pickOf(operations, number)!,
      wait: pickOf(waits, Math.floor(number / operations.length))!,
      pick: Math.floor(number / 1000),
    })),
  )

interface Seen {
  /** The highest token won and version written. */
  issued: number
  /** The last change. */
  changed: number
  readonly tokens: Array<number>
}

const grant = (seen: Seen, before: number, number: number): void => {
  assert.ok(number > seen.issued, `${number} was given out after ${seen.issued}`)
  assert.ok(number > before, `${number} was given out over ${before}`)
  seen.issued = number
}

const changed = (seen: Seen, before: number, number: number): void => {
  grant(seen, before, number)
  seen.changed = number
}

const committed = (seen: Seen, token: number, before: number): void => {
  assert.ok(token > seen.changed, `${token} was stored after the change ${seen.changed}`)
  assert.ok(token > before, `${token} was stored over ${before}`)
  assert.equal(token, Math.max(...seen.tokens), "the lease had passed on")
}

const take = (
  own: Arbitrated,
  seen: Seen,
  { operation, pick }: Step,
): Effect.Effect<void, Tier.TierError> =>
  Effect.gen(function* () {
    const { acquire, arbiter, commit, expire, put, remove, set, store, version } = own
    const before = yield* version("k")
    const token = pickOf(seen.tokens, pick) ?? 0
    switch (operation) {
      case "acquire":
      case "force": {
        const acquired = yield* acquire("k", { known: before, force: operation === "force" })
        assert.notEqual(acquired._tag, "Newer", "than what is there")
        if (acquired._tag !== "Won") return
        grant(seen, before, acquired.token)
        seen.tokens.push(acquired.token)
        return
      }
      case "commit": {
        const answer = yield* commit("k", token, "looked up")
        if (answer === "Stored") committed(seen, token, before)
        else assert.equal(yield* version("k"), before, `${answer}, and yet stored`)
        return
      }
      case "renew":
        if (yield* arbiter.renew("k", token, leaseMillis)) {
          assert.ok(token > seen.changed, `${token} was renewed after the change ${seen.changed}`)
        }
        return
      case "release":
        return yield* arbiter.release("k", token, pick % 2 === 0 ? 0 : 1000)
      case "set":
        return changed(seen, before, yield* set("k", "set"))
      case "remove":
        return changed(seen, before, yield* remove("k"))
      case "expire":
        return changed(seen, before, yield* expire("k"))
      case "put": {
        const number = Math.max(1, Math.max(before, seen.issued) + (pick % 5) - 2)
        if (!(yield* put("k", "put", number))) return
        assert.ok(number > before, `${number} was put over ${before}`)
        seen.issued = Math.max(seen.issued, number)
        return
      }
      case "drop":
        return yield* store.drop("k", before)
    }
  })

const shown = ({ operation, pick, wait }: Step): string => `${wait} ms, ${operation} ${pick}`

export const sequenceChecks = checksThat("arbiter")({
  "laws 11, 12, 20: numbers rise, and nothing from before a change is stored after it": (subject) =>
    Effect.gen(function* () {
      for (let round = 0; round < subject.rounds; round++) {
        const own = yield* arbitrated(subject)
        const steps = yield* drawn(40)
        const seen: Seen = { issued: 0, changed: 0, tokens: [] }
        for (const [i, step] of steps.entries()) {
          // In real time the draws leave out steps that need a wait: they would take hours.
          if (subject.isVirtual) yield* subject.pass(step.wait)
          yield* Effect.catchDefect(take(own, seen, step), (cause) =>
            Effect.die(
              new Error(
                `after ${steps
                  .slice(0, i + 1)
                  .map(shown)
                  .join("; ")}: ${String(cause)}`,
                {
                  cause,
                },
              ),
            ),
          )
        }
      }
    }),
})
