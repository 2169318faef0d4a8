/** Claims a key once no other caller has it, and says what the arbiter has stored there. */
import * as Effect from "effect/Effect"
import type { Entry } from "../../Entry.ts"
import { Contended, NotSettled } from "../../LarderError.ts"
import { isBelieved, judgeable } from "../recover/believed.ts"
import { recover } from "../recover/replay.ts"
import { LeasePauses } from "../runtime/leasePauses.ts"
import { closed } from "../state/closed.ts"
import type { ChangeSignal } from "../state/changeSignals.ts"
import type { Engine } from "../state/engine.ts"
import { Budget } from "../tier/budget.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import type { TierRead } from "../tier/tierRead.ts"
import { type Claim, type ClaimAnswer, claim, giveUp } from "./claim.ts"

/** How often one caller may lose its turn to another change of the key. */
export interface Attempts {
  readonly allowed: number
  left: number
}

export interface Certified {
  readonly claim: Claim
  /** What the arbiter has: nothing newer is stored, and nothing will be under another claim. */
  readonly entry: Entry<unknown> | undefined
}

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/**
 * Waits while another caller has the key, until a message says that it is free, at most `leaseWait`; then
 * takes it by force. Only the waits can be interrupted: a claim must not be granted and forgotten.
 */
export const claimWhenFree = (
  engine: Engine,
  arbiter: FartherTier,
  k: string,
  attempts: Attempts,
  signal: ChangeSignal,
  restore: Restore,
): Effect.Effect<Certified, Contended | NotSettled> =>
  Effect.gen(function* () {
    const { name } = engine.settings
    const unanswered = new NotSettled({ larder: name, pending: [arbiter.name] })
    yield* restore(engine.writes.settled(k))
    yield* restore(recover(engine, new Budget(engine.settings.policy.tierBudget), [k]))
    // The arbiter has missed a change of the key: what it has is not the newest.
    if (!isBelieved(engine, k)) return yield* unanswered
    const began = engine.stopwatch()
    let here = knownHere(engine, k)
    let known = engine.versions.known(k)
    let force = false
    const pauses = new LeasePauses()
    while (true) {
      // A larder that closes waits for those who have their turn.
      if (engine.openWrites.isClosing) return yield* closed(engine)
      signal.reset()
      const answer: ClaimAnswer | undefined = yield* claim(engine, arbiter, k, force, known)
      if (answer === undefined) return yield* unanswered
      switch (answer._tag) {
        case "Claimed": {
          const certified = yield* certify(engine, arbiter, k, answer.claim, here)
          return certified ?? (yield* unanswered)
        }
        case "Newer": {
          const { found }: { readonly found: TierRead } = answer
          here = found._tag === "Entry" ? judgeable(engine, found, true) : undefined
          const version: number = here?.version ?? (found._tag === "Entry" ? 0 : found.version)
          // Without force the arbiter would answer with the same version again.
          force = version <= known
          known = Math.max(known, version)
          continue
        }
        case "Busy":
        case "Failed": {
          attempts.left -= 1
          if (attempts.left <= 0) {
            return yield* new Contended({ larder: name, key: k, attempts: attempts.allowed })
          }
          const left = engine.stack.leaseWaitMillis - Math.round(engine.stopwatch() - began)
          if (left <= 0 || answer._tag === "Failed") {
            force = true
            continue
          }
          const millis = Math.ceil(pauses.next(engine.random.nextDoubleUnsafe()))
          yield* restore(signal.wait(engine.sleep(Math.min(millis, left))))
        }
      }
    }
  })

/** The entry in memory that the arbiter may have under the same version. */
const knownHere = (engine: Engine, k: string): Entry<unknown> | undefined => {
  const held = engine.near.peek(k)
  return held === undefined || held.isProvisional ? undefined : held.entry
}

/** Reads the key under its claim, unless the arbiter has told that nothing or the known entry is stored. */
const certify = (
  engine: Engine,
  arbiter: FartherTier,
  k: string,
  held: Claim,
  here: Entry<unknown> | undefined,
): Effect.Effect<Certified | undefined> => {
  const { storedVersion } = held
  if (storedVersion === 0) return Effect.succeed({ claim: held, entry: undefined })
  if (storedVersion !== undefined && here?.version === storedVersion) {
    return Effect.succeed(onTopOf(here, held))
  }
  const budget = new Budget(engine.settings.policy.tierBudget)
  return Effect.flatMap(
    arbiter.read([k], budget),
    ([found]): Effect.Effect<Certified | undefined> => {
      if (found === undefined) return Effect.as(giveUp(engine, arbiter, k, held), undefined)
      const entry = found._tag === "Entry" ? judgeable(engine, found, true) : undefined
      return Effect.succeed(onTopOf(entry, held))
    },
  )
}

/**
 * What is made of an entry comes after the marks that the entry comes after, also where this node has not
 * heard of them: otherwise it would be dropped by them in place of an entry that was not.
 */
const onTopOf = (entry: Entry<unknown> | undefined, held: Claim): Certified => ({
  entry,
  claim: entry === undefined ? held : { ...held, asOf: Math.max(held.asOf, entry.asOf) },
})
