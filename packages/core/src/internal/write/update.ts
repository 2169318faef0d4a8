/**
 * `update`: read, change, write, all or nothing. The arbiter grants the key to one caller at a time and
 * says what it has stored; the new value is stored only if nothing came in between, else everything begins
 * anew.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Entry } from "../../Entry.ts"
import { Contended, NotSettled } from "../../LarderError.ts"
import { newestNearby } from "./newestNearby.ts"
import { closed } from "../state/closed.ts"
import type { Engine } from "../state/engine.ts"
import type { EntryWithPolicy } from "../state/localEntries.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import { type Claim, giveUp, type Keyed, letLapse, type Stored, storeUnder } from "./claim.ts"
import { type Attempts, claimWhenFree } from "./claimWhenFree.ts"
import { expire, remove } from "./removeExpire.ts"
import { changed } from "./tellChanged.ts"
import { isUntouched, type UntouchedOrNever } from "./untouched.ts"
import { newEntry } from "./newEntry.ts"
import { notInside, within } from "./nesting.ts"
import { effectOf, optionOf, unwritable } from "./returned.ts"
import { recognised } from "./recognised.ts"
import { setAsOf } from "./set.ts"
import type { SourceWrite } from "./through.ts"
import { openWrite, openWriteOf } from "./openWrite.ts"
import { whenCommitted } from "./whenCommitted.ts"

/**
 * Options of one `update`.
 *
 * @category options
 * @since 0.1.0
 */
export interface UpdateOptions<in E = unknown> {
  /**
   * How often the caller may lose its turn to another change of the key before it fails with `Contended`:
   * an integer of at least 1. Default 100.
   */
  readonly attempts?: number | undefined
  /**
   * Whether an error of the function says that it has not changed the source. After any other failure
   * nobody knows, and the key is expired. `true` where the function never writes a source, as for values
   * that only the cache has: then nothing is expired, however the function or its caller ends. Default: no
   * error says so.
   */
  readonly untouched?: ((error: E) => boolean) | true | undefined
}

/** One call, its arguments checked. */
export interface Updating<E, R> extends Keyed {
  readonly compute: (
    current: Option.Option<unknown>,
    write: SourceWrite,
  ) => Effect.Effect<Option.Option<unknown>, E, R>
  readonly attempts: number
  readonly untouched: UntouchedOrNever | undefined
}

type Value = Option.Option<unknown>
type Updated<E, R> = Effect.Effect<Value, E | Contended | NotSettled, R>

/** The result of a turn; undefined where another change came first. */
type Turn<E, R> = Effect.Effect<Value | undefined, E | Contended | NotSettled, R>

export const update = <E, R>(engine: Engine, updating: Updating<E, R>): Updated<E, R> => {
  const { arbiter } = engine.stack
  const updated =
    arbiter === undefined ? alone(engine, updating) : overArbiter(engine, arbiter, updating)
  const { k, untouched } = updating
  // A closing larder waits for the caller that has its turn, not for those that wait behind it.
  const open =
    untouched === true
      ? openWrite(engine, updated, Effect.void)
      : openWriteOf(engine, updating, updated)
  const inTurn = Effect.suspend(() =>
    engine.openWrites.isClosing ? closed(engine) : engine.keyLocks.withLock(k, open),
  )
  return notInside(engine, "update", k, ["through", "update"], inTurn)
}

/** What the function sees, and the new value that it made. */
interface Computed {
  readonly current: Value
  /** Undefined where the function leaves things as they are. */
  readonly next: (EntryWithPolicy & { readonly value: unknown }) | undefined
}

/** Runs the function over a stored entry. A value that is not fresh counts as none. */
const computed = <E, R>(
  engine: Engine,
  { compute, k, key }: Updating<E, R>,
  entry: Entry<unknown> | undefined,
  version: number,
  doubt: Doubt,
): Effect.Effect<Computed, E, R> =>
  Effect.suspend(() => {
    doubt.hasRun = true
    const isFresh =
      entry !== undefined && engine.entries.judge(entry, engine.now())._tag === "Fresh"
    const current: Value = isFresh ? Option.some(entry.value) : Option.none()
    const made = effectOf(engine, "update", compute(current, { version }))
    return Effect.map(
      Effect.flatMap(within(engine, "update", k, made), (made) => optionOf(engine, made)),
      (made) => ({
        current,
        next: Option.isNone(made)
          ? undefined
          : { ...newEntry(engine, key, k, made.value), value: made.value },
      }),
    )
  })

/** Whether the function has written the source, as far as anybody knows, and the cache does not have it. */
interface Doubt {
  isOpen: boolean
  /** A caller that was interrupted before has changed nothing. */
  hasRun: boolean
}

/** The function has ended without a value. */
const failed = (
  engine: Engine,
  doubt: Doubt,
  exit: Exit.Exit<unknown, unknown>,
  untouched: UntouchedOrNever | undefined,
): void => {
  doubt.isOpen ||= doubt.hasRun && !isUntouched(engine, exit, untouched)
}

/** Law 23: where nobody knows whether the source has changed, nothing stays fresh. */
const endDoubt = (engine: Engine, { k, key }: Keyed, { isOpen }: Doubt): Effect.Effect<unknown> =>
  isOpen ? whenCommitted(engine, () => expire(engine, key, k)) : Effect.void

const overArbiter = <E, R>(
  engine: Engine,
  arbiter: FartherTier,
  updating: Updating<E, R>,
): Updated<E, R> =>
  Effect.uninterruptibleMask((restore) => {
    const { attempts: allowed, k } = updating
    const signal = engine.signals.open(k)
    const attempts: Attempts = { allowed, left: allowed }
    const doubt: Doubt = { isOpen: false, hasRun: false }
    const turn: Turn<E, R> = Effect.flatMap(
      claimWhenFree(engine, arbiter, k, attempts, signal, restore),
      ({ claim, entry }) => {
        const run = restore(computed(engine, updating, entry, claim.token, doubt))
        const stored = storedUnder(engine, arbiter, updating, claim, doubt, run)
        return Effect.ensuring(stored, Effect.sync(claim.stop))
      },
    )
    return Effect.onExit(untilStored(engine, k, attempts, turn), () => {
      signal.close()
      return endDoubt(engine, updating, doubt)
    })
  })

const untilStored = <E, R>(
  engine: Engine,
  k: string,
  attempts: Attempts,
  turn: Turn<E, R>,
): Updated<E, R> =>
  Effect.flatMap(turn, (value): Updated<E, R> => {
    if (value !== undefined) return Effect.succeed(value)
    attempts.left -= 1
    return attempts.left > 0
      ? untilStored(engine, k, attempts, turn)
      : Effect.fail(
          new Contended({ larder: engine.settings.name, key: k, attempts: attempts.allowed }),
        )
  })

/** Runs the function under a claim, and stores what it made. */
const storedUnder = <E, R>(
  engine: Engine,
  arbiter: FartherTier,
  updating: Updating<E, R>,
  claim: Claim,
  doubt: Doubt,
  run: Effect.Effect<Computed, E, R>,
): Turn<E, R> =>
  Effect.gen(function* () {
    const { k, untouched } = updating
    const exit = yield* Effect.exit(run)
    if (Exit.isFailure(exit)) {
      failed(engine, doubt, exit, untouched)
      yield* giveUp(engine, arbiter, k, claim)
      return yield* Exit.failCause(exit.cause)
    }
    const { current, next } = exit.value
    if (next === undefined) {
      yield* giveUp(engine, arbiter, k, claim)
      return current
    }
    doubt.isOpen = untouched !== true
    const done = yield* whenCommitted(engine, (isPutOff) =>
      isPutOff
        ? storedOrRemoved(engine, arbiter, updating, claim, next)
        : storedFor(engine, arbiter, updating, claim, next),
    )
    // In a transaction: it is stored, or removed, at the commit.
    if (Option.isNone(done)) yield* letLapse(engine, arbiter, k, claim)
    else if (done.value._tag === "Refused") return undefined
    else if (done.value._tag === "Unwritable") return yield* unwritable(engine)
    else if (done.value._tag === "Unanswered") {
      return yield* new NotSettled({ larder: engine.settings.name, pending: [arbiter.name] })
    }
    doubt.isOpen = false
    return Option.some(next.value)
  })

const storedFor = (
  engine: Engine,
  arbiter: FartherTier,
  keyed: Keyed,
  claim: Claim,
  next: EntryWithPolicy,
): Effect.Effect<Stored> =>
  storeUnder(engine, arbiter, keyed, claim, next).pipe(
    Effect.flatMap((stored) =>
      stored._tag === "Unanswered"
        ? recognised(engine, arbiter, keyed, claim, next)
        : Effect.succeed(stored),
    ),
    Effect.tap((stored) =>
      stored._tag === "Stored"
        ? changed(engine, "set", keyed.k, Effect.succeed(stored.ack))
        : Effect.void,
    ),
  )

const storedOrRemoved = (
  engine: Engine,
  arbiter: FartherTier,
  keyed: Keyed,
  claim: Claim,
  next: EntryWithPolicy,
): Effect.Effect<Stored> =>
  Effect.tap(storedFor(engine, arbiter, keyed, claim, next), (stored) =>
    stored._tag === "Stored" ? Effect.void : remove(engine, keyed.key, keyed.k),
  )

/** Without an arbiter: one after the other in this node, and anew where another change came in between. */
const alone = <E, R>(engine: Engine, updating: Updating<E, R>): Updated<E, R> =>
  Effect.uninterruptibleMask((restore) => {
    const { attempts: allowed, k, key, untouched } = updating
    const attempts: Attempts = { allowed, left: allowed }
    const doubt: Doubt = { isOpen: false, hasRun: false }
    const turn: Turn<E, R> = Effect.gen(function* () {
      const write = engine.sourceWrites.begin(k)
      const ended = Effect.sync(() => engine.sourceWrites.end(k, write))
      const asOf = engine.versions.asOf()
      const version = engine.versions.nextWrite(engine.versions.known(k))
      const reading = Effect.flatMap(newestNearby(engine, k), (entry) =>
        computed(engine, updating, entry, version, doubt),
      )
      const exit = yield* Effect.exit(restore(reading))
      if (Exit.isFailure(exit)) {
        failed(engine, doubt, exit, untouched)
        yield* ended
        return yield* Exit.failCause(exit.cause)
      }
      const { current, next } = exit.value
      if (next === undefined) return yield* Effect.as(ended, current)
      doubt.isOpen = untouched !== true
      const done = yield* whenCommitted(engine, (isPutOff) => {
        // Until a transaction commits, changes by others are not followed: then the value is not stored.
        if (isPutOff) return Effect.as(remove(engine, key, k), true)
        if (write.isOvertaken) return Effect.succeed(false)
        return Effect.as(setAsOf(engine, updating, next, asOf), true)
      })
      yield* ended
      if (Option.isSome(done) && !done.value) return undefined
      doubt.isOpen = false
      return Option.some(next.value)
    })
    return Effect.onExit(untilStored(engine, k, attempts, turn), () => {
      return endDoubt(engine, updating, doubt)
    })
  })
