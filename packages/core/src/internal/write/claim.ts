/**
 * A claim on a key: the arbiter's token, under which a write of the source commits its value. Lookups and
 * other claims that began before it commit nothing any more once it has, and it commits nothing where
 * something came in between.
 */
import * as Effect from "effect/Effect"
import type { Entry } from "../../Entry.ts"
import { keepLease, leaseOutcome } from "../flight/lease.ts"
import { replay } from "../recover/replay.ts"
import type { Engine } from "../state/engine.ts"
import { step } from "../state/spanEvents.ts"
import type { EntryWithPolicy } from "../state/localEntries.ts"
import type { MissedKey } from "../state/missedChanges.ts"
import { Budget } from "../tier/budget.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import type { Granted } from "../tier/leases.ts"
import type { Ack } from "./ack.ts"
import { type Applying, followed as followChange } from "./follow.ts"
import { seenThrough } from "./seenThrough.ts"

export interface Claim {
  readonly token: number
  /** The version of the value or tombstone that the arbiter had when it granted the claim. */
  readonly storedVersion: number | undefined
  /** The marks that this node knew before the claim: what the source says under the claim covers them. */
  readonly asOf: number
  /** Until when, in monotonic time, no other caller has been granted the key unless by force. */
  readonly heldUntil: () => number
  /** What the arbiter had missed of the key before the claim: the value replaces that, and nothing later. */
  readonly before: Unsent
  /** Ends the renewal. */
  readonly stop: () => void
}

/** The changes of a key that this node has made and the arbiter does not know. */
interface Unsent {
  /** In monotonic time. */
  readonly at: number
  readonly missed: MissedKey | undefined
  readonly areKeysForgotten: boolean
}

const unsent = (engine: Engine, k: string): Unsent => ({
  at: engine.stopwatch(),
  missed: engine.missed.key(k),
  areKeysForgotten: engine.missed.keysForgotten,
})

/**
 * Whether this node has changed the key since the claim, and the arbiter does not know: it would store the
 * value over the change, and the node would take the change for replaced.
 */
const isChangedHere = (engine: Engine, k: string, { before }: Claim): boolean => {
  const { missed, writes } = engine
  const change = missed.key(k)
  return (
    (change !== undefined && change !== before.missed) ||
    (missed.keysForgotten && !before.areKeysForgotten) ||
    (writes.newest(k)?.madeAt ?? -Infinity) > before.at
  )
}

/** Takes the key from whoever has it; undefined where the arbiter does not answer. */
export const claimByForce = (
  engine: Engine,
  arbiter: FartherTier,
  k: string,
): Effect.Effect<Claim | undefined> =>
  Effect.map(claim(engine, arbiter, k, true), (answer) =>
    answer?._tag === "Claimed" ? answer.claim : undefined,
  )

export type ClaimAnswer =
  | { readonly _tag: "Claimed"; readonly claim: Claim }
  | Exclude<Granted, { readonly _tag: "Won" }>

/**
 * Asks for the key once; undefined where the arbiter does not answer. Uninterruptible: other nodes would
 * wait for a claim that was granted and forgotten.
 */
export const claim = (
  engine: Engine,
  arbiter: FartherTier,
  k: string,
  force: boolean,
  known: number = engine.versions.known(k),
): Effect.Effect<ClaimAnswer | undefined> =>
  Effect.uninterruptible(
    Effect.gen(function* () {
      // A value stored before this node knows any mark would count as older than all marks.
      yield* arbiter.marks.ready
      const asOf = engine.versions.asOf()
      const before = unsent(engine, k)
      const { leaseMillis } = engine.stack
      const request = { known, leaseMillis, force, despiteFailure: true }
      const budget = new Budget(engine.settings.policy.tierBudget)
      let heldUntil = engine.stopwatch() + leaseMillis
      const granted: Granted | undefined = yield* step(
        engine,
        arbiter,
        "lease",
        arbiter.leases.acquire(k, request, budget),
      )
      engine.observer.counters.leases[leaseOutcome({ takesOver: false }, granted)] += 1
      if (granted?._tag !== "Won") return granted
      const { storedVersion, token } = granted
      engine.observer.tell({ _tag: "LeaseWon", key: k, token })
      const stop = keepLease(engine, arbiter, k, token, (sentAt) => {
        heldUntil = sentAt + leaseMillis
      })
      const held = { token, storedVersion, asOf, before, heldUntil: () => heldUntil, stop }
      return { _tag: "Claimed", claim: held }
    }),
  )

/** Gives the key back without a value. */
export const giveUp = (
  engine: Engine,
  arbiter: FartherTier,
  k: string,
  claim: Claim,
): Effect.Effect<void> => ended(engine, claim, arbiter.leases.release(k, claim.token, 0))

/**
 * Lets the claim lapse, so that nobody waits for it. Its token may still commit until another node takes
 * the key.
 */
export const letLapse = (
  engine: Engine,
  arbiter: FartherTier,
  k: string,
  claim: Claim,
): Effect.Effect<void> => ended(engine, claim, arbiter.leases.renew(k, claim.token, 1))

/** Ends the renewal and tells the arbiter, unless the larder has closed: then the claim lapses by itself. */
const ended = (
  engine: Engine,
  { stop }: Claim,
  told: Effect.Effect<unknown>,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    stop()
    return engine.closed ? Effect.void : Effect.asVoid(seenThrough(engine, told))
  })

/** How the commit of a value under a claim ended. */
export type Stored =
  | { readonly _tag: "Stored"; readonly ack: Ack }
  /** The arbiter has not stored it: something came in between. */
  | { readonly _tag: "Refused" }
  | { readonly _tag: "Unanswered" }
  /** The schema does not encode the value. */
  | { readonly _tag: "Unwritable" }

const unwritable = "Unwritable"

/** Commits a value under its claim; nearer tiers and memory follow. */
export const storeUnder = (
  engine: Engine,
  arbiter: FartherTier,
  { k, key }: Keyed,
  claim: Claim,
  value: EntryWithPolicy,
): Effect.Effect<Stored> =>
  seenThrough(
    engine,
    Effect.gen(function* () {
      if (isChangedHere(engine, k, claim)) {
        yield* arbiter.leases.release(k, claim.token, 0)
        return { _tag: "Refused" }
      }
      const entry = entryUnder(claim, value)
      const begun = begin(engine, k)
      const answer = yield* step(
        engine,
        arbiter,
        "write",
        arbiter.writes.commit(k, entry, unwritable),
      )
      const isValid = answer === "Stored" && engine.marks.judge(entry) === "valid"
      if (!isValid && answer !== "Unjudged") {
        engine.changes.end(k, begun.turn, claim.token)
        if (answer === unwritable) return { _tag: "Unwritable" }
        return { _tag: answer === undefined ? "Unanswered" : "Refused" }
      }
      // Unjudged: a mark that this node cannot read may cover the value, so only the arbiter has it.
      const applying = isValid ? setting(key, value, entry) : removal(key)
      return yield* followed(engine, arbiter, k, claim, begun, applying)
    }),
  )

/** The node learns that the arbiter has stored the value of a claim whose answer was lost. */
export const followStored = (
  engine: Engine,
  arbiter: FartherTier,
  { k, key }: Keyed,
  claim: Claim,
  value: EntryWithPolicy | undefined,
): Effect.Effect<Stored> =>
  seenThrough(
    engine,
    Effect.suspend(() => {
      const applying =
        value === undefined ? removal(key) : setting(key, value, entryUnder(claim, value))
      return followed(engine, arbiter, k, claim, begin(engine, k), applying)
    }),
  )

/** A key as its caller passed it, and as tiers store it. */
export interface Keyed {
  readonly key: unknown
  readonly k: string
}

const entryUnder = ({ asOf, token }: Claim, { entry }: EntryWithPolicy): Entry<unknown> => ({
  ...entry,
  asOf,
  version: token,
})

const setting = (
  key: unknown,
  { entry: _, ...kept }: EntryWithPolicy,
  entry: Entry<unknown>,
): Applying => ({ key, change: { _tag: "Set", entry }, kept })

const removal = (key: unknown): Applying => ({ key, change: { _tag: "Remove" }, kept: undefined })

/** What a commit must know of the moment at which it begins. */
const begin = (engine: Engine, k: string) => ({
  turn: engine.changes.take(k),
  gapsBefore: engine.gaps.count,
  madeAt: engine.stopwatch(),
})

const followed = (
  engine: Engine,
  arbiter: FartherTier,
  k: string,
  claim: Claim,
  begun: ReturnType<typeof begin>,
  applying: Applying,
): Effect.Effect<Stored> => {
  const { before, token } = claim
  // Race: this node has changed the key while the arbiter was asked, or its answer was lost.
  const isOlder = isChangedHere(engine, k, claim)
  if (!isOlder) {
    engine.writes.withdraw(k)
    engine.missed.heardKey(k, before.missed)
  }
  const order = { ...begun, version: token, isOrdered: true }
  const here = isOlder ? removal(applying.key) : applying
  return Effect.map(followChange(engine, k, here, order, token), (failed) => {
    // Not awaited: what the arbiter missed before is no part of this value.
    if (!engine.missed.isEmpty) replay(engine)
    const pending = engine.missed.isEmpty ? failed : [arbiter.name, ...failed]
    return { _tag: "Stored", ack: { version: token, settled: pending.length === 0, pending } }
  })
}
