/**
 * `through`: an effect that changes the source and returns the value as the source has it now. It is a
 * lookup's mirror: it takes the key's token from the arbiter, and its value is stored under that token,
 * unless something came in between.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Engine } from "../state/engine.ts"
import { begun } from "../state/generation.ts"
import { attempt } from "../state/userCode.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import { type Claim, claimByForce, giveUp, letLapse, storeUnder } from "./claim.ts"
import { expire, remove } from "./removeExpire.ts"
import { changed } from "./tellChanged.ts"
import { isUntouched, type Untouched } from "./untouched.ts"
import { leavesNothing } from "./follow.ts"
import { newEntry } from "./newEntry.ts"
import { setAsOf } from "./set.ts"
import { notInside, within } from "./nesting.ts"
import { effectOf } from "./returned.ts"
import { openWriteOf } from "./openWrite.ts"
import { whenCommitted } from "./whenCommitted.ts"

/**
 * A write of the source under way, as its effect sees it.
 *
 * @category models
 * @since 0.1.0
 */
export interface SourceWrite {
  /**
   * Rises with every write of the key: on all nodes, where an arbiter orders them, else in this node, above
   * those of earlier processes by its clock. A source that refuses a lower version than it has is safe
   * from a writer that was held up. While the arbiter does not answer, it is the arbiter's time as the node
   * knows it, up to the duration of a trip; a node that the arbiter has never answered goes by its own clock.
   */
  readonly version: number
}

const replaced = new WeakMap<SourceWrite, number>()

/**
 * The version of the value or removal that the arbiter had when it gave a write its token; undefined where
 * it did not say.
 */
export const replacedBy = (write: SourceWrite): number | undefined => replaced.get(write)

const writeOf = (version: number, storedVersion: number | undefined): SourceWrite => {
  const write = { version }
  if (storedVersion !== undefined) replaced.set(write, storedVersion)
  return write
}

/**
 * Options of one `through`.
 *
 * @category options
 * @since 0.1.0
 */
export interface ThroughOptions {
  /**
   * Whether an error says that the source has not changed. After any other failure nobody knows, and the
   * key is expired. Default: no error says so.
   */
  readonly untouched?: ((error: unknown) => boolean) | undefined
}

/**
 * An effect that writes the source and returns the value as the source has it now, or a function that
 * makes one.
 *
 * @category models
 * @since 0.1.0
 */
export type Writing<A, E, R> =
  | Effect.Effect<A, E, R>
  | ((write: SourceWrite) => Effect.Effect<A, E, R>)

export const through = <E, R>(
  engine: Engine,
  key: unknown,
  k: string,
  writing: Writing<unknown, E, R>,
  untouched: Untouched | undefined,
): Effect.Effect<unknown, E, R> => {
  const { arbiter } = engine.stack
  const run: Run<E, R> = (version, storedVersion) =>
    within(
      engine,
      "through",
      k,
      Effect.suspend(() =>
        typeof writing === "function"
          ? effectOf(engine, "through", writing(writeOf(version, storedVersion)))
          : writing,
      ),
    )
  const written =
    arbiter === undefined
      ? alone(engine, key, k, run, untouched)
      : overArbiter(engine, arbiter, key, k, run, untouched)
  const open = openWriteOf(engine, { key, k }, written)
  return notInside(engine, "through", k, ["update"], open)
}

type Run<E, R> = (version: number, storedVersion?: number) => Effect.Effect<unknown, E, R>

const overArbiter = <E, R>(
  engine: Engine,
  arbiter: FartherTier,
  key: unknown,
  k: string,
  run: Run<E, R>,
  untouched: Untouched | undefined,
): Effect.Effect<unknown, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const claim = yield* claimByForce(engine, arbiter, k)
      // A lookup of this node that began before stores nothing; callers from now on wait for the claim.
      begun(engine, k, "Set")
      const known = engine.versions.known(k)
      const version =
        claim?.token ??
        engine.versions.nextWrite(known, arbiter.time.placeOf(engine.stopwatch(), "most"))
      const exit = yield* Effect.exit(restore(run(version, claim?.storedVersion)))
      if (isUntouched(engine, exit, untouched)) {
        if (claim !== undefined) yield* giveUp(engine, arbiter, k, claim)
        return yield* exit
      }
      const concluded = yield* whenCommitted(engine, () =>
        Exit.isSuccess(exit) && claim !== undefined
          ? storeOrRemove(engine, arbiter, key, k, claim, exit.value)
          : afterwards(engine, key, k, exit),
      )
      if (claim !== undefined) {
        if (Option.isNone(concluded)) yield* letLapse(engine, arbiter, k, claim)
        else claim.stop()
      }
      return yield* exit
    }),
  )

/** Without a token the value is not stored: nothing orders it among the changes of other nodes. */
const afterwards = (
  engine: Engine,
  key: unknown,
  k: string,
  exit: Exit.Exit<unknown, unknown>,
): Effect.Effect<unknown> =>
  Exit.isSuccess(exit) ? remove(engine, key, k) : expire(engine, key, k)

const storeOrRemove = (
  engine: Engine,
  arbiter: FartherTier,
  key: unknown,
  k: string,
  claim: Claim,
  value: unknown,
): Effect.Effect<unknown> =>
  Effect.suspend(() => {
    const kept = usable(engine, key, k, value)
    if (kept === undefined) return remove(engine, key, k)
    return Effect.flatMap(storeUnder(engine, arbiter, { key, k }, claim, kept), (stored) => {
      if (stored._tag === "Stored") return changed(engine, "set", k, Effect.succeed(stored.ack))
      if (stored._tag === "Refused") {
        engine.observer.counters.superseded += 1
        engine.observer.tell({ _tag: "Superseded", key: k })
      }
      return remove(engine, key, k)
    })
  })

/** The entry to store; undefined for a value without a life, and for one on which an option fails. */
const usable = (engine: Engine, key: unknown, k: string, value: unknown) =>
  attempt(
    () => {
      const kept = newEntry(engine, key, k, value)
      return leavesNothing({ _tag: "Set", entry: kept.entry }) ? undefined : kept
    },
    (failure) => {
      engine.optionFailures.onAnswer(failure)
      return undefined
    },
  )

/** Without an arbiter writes of one key in this node take turns. */
const alone = <E, R>(
  engine: Engine,
  key: unknown,
  k: string,
  run: Run<E, R>,
  untouched: Untouched | undefined,
): Effect.Effect<unknown, E, R> =>
  engine.keyLocks.withLock(
    k,
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        begun(engine, k, "Set")
        const write = engine.sourceWrites.begin(k)
        const asOf = engine.versions.asOf()
        const exit = yield* Effect.exit(
          restore(run(engine.versions.nextWrite(engine.versions.known(k)))),
        )
        if (!isUntouched(engine, exit, untouched)) {
          // Until a transaction commits, changes by others are not followed: then the value is not stored.
          yield* whenCommitted(engine, (isPutOff) => {
            const kept =
              Exit.isSuccess(exit) && !write.isOvertaken && !isPutOff
                ? usable(engine, key, k, exit.value)
                : undefined
            return kept === undefined
              ? afterwards(engine, key, k, exit)
              : setAsOf(engine, { key, k }, kept, asOf)
          })
        }
        engine.sourceWrites.end(k, write)
        return yield* exit
      }),
    ),
  )
