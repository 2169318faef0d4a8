/** The input of a check: a tier, its time, and short ways to use one of its stores. */
import { Envelope, Tier } from "@larder/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { strict as assert } from "node:assert"

/** How long leases and values last in checks that do not wait for their end. */
export const leaseMillis = 10_000
export const lifeMillis = 100_000

/**
 * The input of a check: a tier, and how its time passes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Subject {
  /** The tier, as its layer built it. */
  readonly tier: Tier.ObjectTier | Tier.ByteTier
  /** Whether the tier opened a store with an arbiter. */
  readonly arbitrates: boolean
  /** Lets this much time (ms) pass on the tier's clock. */
  readonly pass: (millis: number) => Effect.Effect<void>
  /** Whether `pass` takes no time. */
  readonly isVirtual: boolean
  /** How often a check repeats its random steps: fewer where each is a trip to a server. */
  readonly rounds: number
}

let names = 0

/** A name that no larder had before, neither in this run nor on a server that outlives it. */
export const freshName = (prefix: string): Effect.Effect<string> =>
  Effect.map(Random.nextIntBetween(0, 2 ** 48), (number) => `${prefix} ${++names} ${number}`)

export const byteTier = ({ tier }: Subject): Tier.ByteTier => {
  assert(tier.kind === "bytes")
  return tier
}

/** The limits of a byte tier, which its layer or its author has set. */
export const limitsOf = (subject: Subject): Effect.Effect<Tier.Limits> =>
  Effect.orDie(Effect.fromResult(Tier.checkLimits("Tier", byteTier(subject).limits ?? {})))

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** The envelope of a text; unlike a larder's, it carries no times of the tier's clock. */
export const envelope = (
  text: string,
  now: number,
  times: { readonly freshFor?: number; readonly staleFor?: number; readonly version?: number } = {},
): Uint8Array =>
  Envelope.make({
    version: times.version ?? 0,
    freshUntil: now + (times.freshFor ?? 10_000),
    revalidateUntil: now + (times.freshFor ?? 10_000),
    staleUntil: now + (times.staleFor ?? lifeMillis),
    storedAt: now,
    schemaVersion: 0,
    loadMillis: 1,
    asOf: 0,
    tags: [],
    wire: "json",
    value: encoder.encode(text),
  })

/** The text in an envelope; for other bytes, `tombstone` or the reason why they are unreadable, in brackets. */
export const textOf = (bytes: Uint8Array | undefined): string | undefined => {
  if (bytes === undefined) return undefined
  const parsed = Envelope.parse(bytes)
  if (parsed._tag === "Value") return decoder.decode(parsed.value)
  return parsed._tag === "Tombstone" ? "[tombstone]" : `[${parsed.reason}]`
}

/** Passes when there is no entry to serve: none at all, or a tombstone. */
export const assertNoValue = (text: string | undefined): void => {
  assert.ok(text === undefined || text === "[tombstone]", `there is still ${text}`)
}

/** The store of one larder, with the operations of the checks. */
export const openedAs = (subject: Subject, larder: string) =>
  Effect.gen(function* () {
    const store = yield* byteTier(subject).open({ larder })
    const now = Clock.currentTimeMillis
    const first = (key: string) => Effect.map(store.read([key]), ([bytes]) => bytes)
    return {
      store,
      first,
      now,
      text: (key: string) => Effect.map(first(key), textOf),
      version: (key: string) =>
        Effect.map(first(key), (bytes) =>
          bytes === undefined ? 0 : (Envelope.version(bytes) ?? 0),
        ),
      put: (key: string, text: string, version: number, life: number = lifeMillis) =>
        Effect.flatMap(now, (now) => store.put(key, envelope(text, now, { version }), life)),
    }
  })

export const opened = (subject: Subject) =>
  Effect.flatMap(freshName("conformance"), (larder) => openedAs(subject, larder))

export type Opened = Effect.Success<ReturnType<typeof opened>>

/** As {@link openedAs}, of a tier with an arbiter. */
export const arbitratedAs = (subject: Subject, larder: string) =>
  Effect.gen(function* () {
    const own = yield* openedAs(subject, larder)
    const { arbiter } = own.store
    assert.ok(arbiter, "the tier has an arbiter in one store and none in another")
    const time = Effect.map(arbiter.marks(0), ({ time }) => time)
    const acquire = (
      key: string,
      options: {
        readonly known?: number
        readonly lease?: number
        readonly force?: boolean
        readonly despiteFailure?: boolean
      } = {},
    ) =>
      arbiter.acquire(key, {
        known: options.known ?? 0,
        leaseMillis: options.lease ?? leaseMillis,
        force: options.force ?? false,
        despiteFailure: options.despiteFailure ?? false,
      })
    return {
      ...own,
      arbiter,
      time,
      acquire,
      win: (key: string, options: Parameters<typeof acquire>[1] = {}) =>
        Effect.map(acquire(key, options), (acquired) => {
          assert.ok(acquired._tag === "Won", `acquire of ${key} gave ${acquired._tag}, not Won`)
          return acquired.token
        }),
      commit: (key: string, token: number, text: string, life: number = lifeMillis) =>
        Effect.flatMap(time, (now) =>
          Effect.map(
            arbiter.commit(key, token, envelope(text, now), life),
            ({ decision }) => decision,
          ),
        ),
      set: (key: string, text: string, known = 0) =>
        Effect.flatMap(time, (now) =>
          Effect.map(
            arbiter.write(key, { _tag: "Set", envelope: envelope(text, now), lifeMillis }, known),
            ({ version }) => version,
          ),
        ),
      remove: (key: string) =>
        Effect.map(arbiter.write(key, { _tag: "Remove" }, 0), ({ version }) => version),
      /** Sets or removes as if the tier's time were `at` microseconds. */
      setAt: (key: string, text: string, at: number, life: number = lifeMillis) =>
        Effect.flatMap(time, (now) =>
          Effect.map(
            arbiter.write(
              key,
              { _tag: "Set", envelope: envelope(text, now), lifeMillis: life, at },
              0,
            ),
            ({ version }) => version,
          ),
        ),
      removeAt: (key: string, at: number) =>
        Effect.map(arbiter.write(key, { _tag: "Remove", at }, 0), ({ version }) => version),
      expire: (key: string) =>
        Effect.map(arbiter.write(key, { _tag: "Expire" }, 0), ({ version }) => version),
    }
  })

export const arbitrated = (subject: Subject) =>
  Effect.flatMap(freshName("conformance"), (larder) => arbitratedAs(subject, larder))

export type Arbitrated = Effect.Success<ReturnType<typeof arbitrated>>

/**
 * The abilities that a check needs: none (`any`), a tier that stores values (`objects`) or bytes, an
 * arbiter, or an arbiter that declares `notifies`.
 *
 * @category models
 * @since 0.1.0
 */
export type Needs = "any" | "objects" | "bytes" | "arbiter" | "notifies"

/**
 * One rule of the contract, as a test.
 *
 * @category models
 * @since 0.1.0
 */
export interface Check {
  /** The rule, as the name of a test. */
  readonly name: string
  /** The abilities without which the check does not apply. */
  readonly needs: Needs
  /** Fails, or dies with an `AssertionError`, when the tier breaks the rule in the name. */
  readonly run: (subject: Subject) => Effect.Effect<void, unknown, Scope.Scope>
}

/** Names the checks of one kind. */
export const checksThat =
  (needs: Needs) =>
  (named: Readonly<Record<string, Check["run"]>>): ReadonlyArray<Check> =>
    Object.entries(named).map(([name, run]) => ({ name, needs, run }))
