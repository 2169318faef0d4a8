/** Decides whether a flight adopts the entry that a farther tier has. */
import * as Effect from "effect/Effect"
import * as Decision from "../../Decision.ts"
import type { Engine } from "../state/engine.ts"
import type { EntryWithPolicy } from "../state/localEntries.ts"
import { candidateFrom } from "../state/candidateFrom.ts"
import { queuedCandidate } from "../state/queuedCandidate.ts"
import { examined } from "../state/examined.ts"
import type { HeaderRead } from "../state/headerReads.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import type { TierEntry, TierRead } from "../tier/tierRead.ts"
import { type Candidate, type Flight, isConfirmed, type Unconfirmed } from "../state/flight.ts"
import { hasMissed, judgeable } from "../recover/believed.ts"
import { keepNearer } from "../recover/nearerTiers.ts"
import { unlessOutdated } from "./lookupResult.ts"
import { complete, offerAll } from "./waiters.ts"

/**
 * Adopts a fresh entry from a tier as the flight's outcome; keeps a stale one as the candidate for
 * when upstream fails. Says whether the tier has a usable entry.
 */
export const consider = (
  engine: Engine,
  flight: Flight,
  tier: FartherTier,
  found: TierRead,
): boolean => {
  if (found._tag !== "Foreign" && found.unconfirmed !== undefined) {
    noteUnconfirmed(engine, flight, { tier, entry: found.unconfirmed })
  }
  if (found._tag !== "Entry") {
    flight.known = Math.max(flight.known, found.version)
    flight.isForeign ||= found._tag === "Foreign"
    const isRemoved = found._tag === "Nothing" && found.isRemoved === true
    if (isRemoved && tier === engine.stack.arbiter) forgetOlder(engine, flight, found.version)
    return false
  }
  return considerEntry(engine, flight, tier, found, tier === engine.stack.arbiter)
}

/** Notes a suspect entry, unless the arbiter's version was asked for it already, as for the same one in memory. */
const noteUnconfirmed = (engine: Engine, flight: Flight, unconfirmed: Unconfirmed): void => {
  const inMemory = engine.near.peek(flight.k)
  const isAsked =
    inMemory !== undefined &&
    !inMemory.isProvisional &&
    inMemory.entry.version >= unconfirmed.entry.version
  if (!isAsked) flight.unconfirmed = unconfirmed
}

/** Considers the entry of a nearer tier whose version the arbiter has confirmed. */
export const considerConfirmed = (
  engine: Engine,
  flight: Flight,
  { entry, tier }: Unconfirmed,
  { marksReadAt, sentAt }: HeaderRead,
): void => {
  // As of before a gap that began while the answer was on its way: the tier's entry stays suspect.
  const confirmedAt = Math.min(sentAt, marksReadAt)
  // Race: a newer version was told, or set by this node, while the answer was on its way.
  if (entry.version >= flight.heard && isKept(flight)) {
    tier.copies.confirm(flight.k, entry, confirmedAt)
  }
  considerEntry(engine, flight, tier, { _tag: "Entry", entry, confirmedAt }, true)
}

/** `isOfArbiter`: the entry is the arbiter's, or one that its version confirms. */
const considerEntry = (
  engine: Engine,
  flight: Flight,
  tier: FartherTier,
  found: TierEntry,
  isOfArbiter: boolean,
): boolean => {
  if (isOfArbiter && hasMissed(engine, flight.k)) return false
  const { askedAt } = flight
  // Marks that were read later say nothing about a later version.
  const { confirmedAt = askedAt } = found
  const entry = unlessOutdated(flight, judgeable(engine, found, isOfArbiter), engine.now())
  if (entry === undefined) return false
  flight.known = Math.max(flight.known, entry.version)
  if (engine.writes.isBefore(flight.k, entry, engine.now())) return false
  const asked = { k: flight.k, asked: flight.key }
  const asOf = isOfArbiter ? Math.min(confirmedAt, askedAt) : found.confirmedAt
  const usable = examined(engine, asked, tier.name, entry, asOf)
  if (usable === undefined) return false
  // A nearer tier may have a version that this node chose without the arbiter.
  const keeping = { ...usable, isProvisional: !isOfArbiter }
  const now = engine.now()
  const itself = candidateFrom(engine, tier.name, entry, now, flight.gapsBefore)
  // Race: a checked read joins a flight that began after its call and has not read the marks since.
  const candidate = isOfArbiter ? { ...itself, askedAt: asOf } : itself
  const inMemory = engine.near.peek(flight.k)?.entry.version
  switch (Decision.adoption(offer(flight, candidate, inMemory))) {
    case "adopt":
      adopt(engine, flight, tier, candidate, keeping)
      break
    case "remember":
      if (isKept(flight)) takeOver(engine, flight, keeping, now)
      offerAll(engine, flight, candidate)
      break
    case "ignore":
  }
  return true
}

/**
 * `inMemory`: the version of the entry in memory. A checked read accepts an entry of the arbiter alone:
 * others may be older than a change that is settled.
 */
const offer = (flight: Flight, candidate: Candidate, inMemory = -1): Decision.Offer => {
  const { early, force, notBefore, stale } = flight
  const { storedAt, version } = candidate.entry
  return {
    freshness: candidate.freshness._tag,
    isYoungEnough: storedAt >= notBefore && isConfirmed(candidate, flight),
    besideMemory: order(version, inMemory),
    besideKnown: order(version, Math.max(inMemory, stale?.entry.version ?? -1)),
    force,
    early,
  }
}

const order = (version: number, other: number): Decision.Order => {
  if (version === other) return "same"
  return version > other ? "newer" : "older"
}

/** Another node has removed the key: drops this node's older values, also for stale-if-error. */
export const forgetOlder = (engine: Engine, flight: Flight, version: number): void => {
  const { k, stale } = flight
  if (stale !== undefined && stale.entry.version < version) flight.stale = undefined
  const inMemory = engine.near.peek(k)
  if (inMemory !== undefined && inMemory.entry.version < version) engine.near.delete(k)
  for (const nearer of engine.stack.farther) {
    if (nearer !== engine.stack.arbiter) engine.fibers.forkAwaited(nearer.copies.drop(k, version))
  }
}

/**
 * Considers a value that was set and has not reached the tiers yet: it is newer than any entry
 * there, unless a message has told otherwise. If the flight cannot adopt it, waits until the tiers
 * have it or have failed to take it.
 */
export const considerQueued = (engine: Engine, flight: Flight): Effect.Effect<void> =>
  Effect.suspend(() => {
    const now = engine.now()
    const queued = queuedCandidate(engine, flight.k, now)
    if (queued === undefined) return Effect.void
    const { candidate, isOutdated, keeping } = queued
    const adoption = Decision.adoption(offer(flight, candidate))
    if (adoption !== "adopt") {
      // Memory has evicted the value and the tiers do not have it: only this copy is left if upstream fails.
      if (adoption === "remember") offerAll(engine, flight, candidate)
      return isOutdated ? Effect.void : engine.writes.settled(flight.k)
    }
    takeOver(engine, flight, keeping, now)
    complete(engine, flight, { _tag: "Value", result: candidate, newerKnown: undefined })
    return Effect.void
  })

/**
 * Whether memory may take over what a tier answers. Race: the flight has ended, and hears of no change any
 * more, while the tiers are read beside it.
 */
const isKept = ({ detached, isWanted }: Flight): boolean => !detached && isWanted

/** Completes the flight with a tier's fresh entry, judged by all known marks; copies it to nearer tiers. */
const adopt = (
  engine: Engine,
  flight: Flight,
  tier: FartherTier,
  candidate: Candidate,
  keeping: EntryWithPolicy,
): void => {
  const { entry } = candidate
  if (isKept(flight)) {
    takeOver(engine, flight, keeping, engine.now())
    for (const other of engine.stack.farther) {
      if (other === tier) break
      const { confirmedAt: asOf = engine.stopwatch(), isProvisional: isChosen = false } = keeping
      const known = { asOf, isOrdered: true, isChosen }
      engine.fibers.forkAwaited(keepNearer(engine, other, flight.k, entry, known))
    }
  }
  complete(engine, flight, { _tag: "Value", result: candidate, newerKnown: undefined })
}

const takeOver = (engine: Engine, flight: Flight, keeping: EntryWithPolicy, now: number): void => {
  const { gapsBefore, k, key } = flight
  engine.entries.keep(k, key, { ...keeping, gapsBefore }, now)
  const { entry } = keeping
  if (entry.freshUntil > now) engine.failures.forget(flight.k)
}
