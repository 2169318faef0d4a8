/** Reads the changes after a position, says where some may be missing, and keeps the position. */
import { Invalidations } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { KeyValueStoreError } from "effect/persistence/KeyValueStore"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import {
  changesPerPrune,
  changesPerRead,
  firstPendingMillis,
  firstRetryMillis,
  longestPendingMillis,
  longestRetryMillis,
  pruneMillis,
} from "../limits.ts"
import type { Settings } from "./options.ts"
import type { Position } from "./position.ts"
import { type Positions, positionsOf } from "./positions.ts"
import { isLost, listOf, type Reader, type Recorded, type State } from "./reader.ts"
import { wakeUps } from "./wakeUps.ts"

type Failure = SqlError | KeyValueStoreError

/** The message of a recorded change; a list that cannot be read says that everything may have changed. */
const changeOf = ({ clear, keys, larder, tags }: Recorded): Invalidations.Change => {
  const [ofKeys, ofTags] = [listOf(keys), listOf(tags)]
  if (clear || ofKeys === undefined || ofTags === undefined) {
    return Invalidations.change({ larder, clear: true })
  }
  return Invalidations.change({ larder, keys: ofKeys, tags: ofTags })
}

/** What one look has found, and where the next one begins. */
interface Found {
  readonly changes: ReadonlyArray<Invalidations.Change>
  readonly position: Position
  readonly isPending: boolean
}

/** Everything counts as changed, and nothing is missed from here on. */
const anew = ({ end, epoch }: State): Found => ({
  changes: [Invalidations.gap],
  position: { ...end, epoch },
  isPending: false,
})

/**
 * One look. Race: the changes are read, and then it is asked which ones are no longer there. The other way
 * round, some could be deleted in between and be missed.
 */
const lookAfter = (
  reader: Reader,
  position: Position | undefined,
): Effect.Effect<Found, SqlError> => {
  if (position === undefined) return Effect.map(reader.state, anew)
  return Effect.flatMap(reader.after(position, changesPerRead), (rows) =>
    Effect.map(reader.state, (state) => {
      if (isLost(position, state)) return anew(state)
      const last = rows.at(-1)
      const { isPending } = state
      if (last === undefined) return { changes: [], position, isPending }
      const { seq, tx } = last
      return { changes: rows.map(changeOf), position: { ...position, tx, seq }, isPending }
    }),
  )
}

export class Feed {
  readonly #settings: Settings
  readonly #reader: Reader
  readonly #positions: Positions
  readonly #signal = Latch.makeUnsafe(false)
  #position: Position | undefined
  /** A position to keep, once what was read before it has been taken. */
  #unsaved: Position | undefined
  #pending = firstPendingMillis
  /** A look has succeeded: a failure after it is an outage. */
  #hasLooked = false

  constructor(settings: Settings, reader: Reader) {
    this.#settings = settings
    this.#reader = reader
    this.#positions = positionsOf(settings, reader)
  }

  /** Until the scope closes: wake-ups, and the deletion of old changes. */
  get beside(): Effect.Effect<void, never, Scope.Scope> {
    const { listen, name, retention } = this.#settings
    const listening = listen === undefined ? Effect.void : wakeUps(listen, name, this.#signal)
    const deleting = retention === Infinity ? Effect.void : this.#prunes
    const fork = (effect: Effect.Effect<void>) =>
      Effect.forkScoped(effect, { startImmediately: true })
    return Effect.asVoid(Effect.andThen(fork(listening), fork(deleting)))
  }

  /** The position that was kept. */
  get loaded(): Effect.Effect<void, Failure> {
    return Effect.map(this.#positions.load, (position) => {
      this.#position = position
    })
  }

  /**
   * The next changes, at least one. Whoever asks has applied those before, so their position is kept
   * first: a change is given again rather than lost.
   */
  next(): Effect.Effect<ReadonlyArray<Invalidations.Change>, Failure> {
    return Effect.suspend(() => {
      this.#signal.closeUnsafe()
      return Effect.flatMap(this.#lasting(this.#look), ({ changes, isPending }) =>
        changes.length > 0
          ? Effect.succeed(changes)
          : Effect.andThen(this.#rest(isPending), this.next()),
      )
    })
  }

  get #look(): Effect.Effect<Found, Failure> {
    const saved = Effect.suspend(() =>
      this.#unsaved === undefined ? Effect.void : this.#positions.save(this.#unsaved),
    )
    const look = Effect.suspend(() => {
      this.#unsaved = undefined
      return lookAfter(this.#reader, this.#position)
    })
    return Effect.map(Effect.andThen(saved, look), (found) => {
      this.#position = found.position
      if (found.changes.length > 0) {
        this.#unsaved = found.position
        this.#pending = firstPendingMillis
      }
      return found
    })
  }

  /** Until a wake-up, or the next look by itself. */
  #rest(isPending: boolean): Effect.Effect<void> {
    const { poll } = this.#settings
    // No word comes when the older transaction ends without a change of its own.
    const millis = isPending ? Math.min(this.#pending, poll) : poll
    this.#pending = isPending
      ? Math.min(2 * this.#pending, longestPendingMillis)
      : firstPendingMillis
    return Effect.raceFirst(this.#signal.await, Effect.sleep(millis))
  }

  /** Goes on through an outage: the position has what is missed meanwhile. The first look may fail. */
  #lasting<A>(look: Effect.Effect<A, Failure>): Effect.Effect<A, Failure> {
    const succeeded = Effect.tap(look, () =>
      Effect.sync(() => {
        this.#hasLooked = true
      }),
    )
    const again = (pause: number, isTold: boolean): Effect.Effect<A, Failure> =>
      Effect.catch(succeeded, (error) => {
        if (!this.#hasLooked) return Effect.fail(error)
        const told = isTold
          ? Effect.void
          : Effect.logWarning(`${this.#settings.name}: changes cannot be read, trying again`, error)
        const next = again(Math.min(2 * pause, longestRetryMillis), true)
        return Effect.andThen(Effect.andThen(told, Effect.sleep(pause)), next)
      })
    return again(firstRetryMillis, false)
  }

  get #prunes(): Effect.Effect<void> {
    const { retention } = this.#settings
    const all: Effect.Effect<void, SqlError> = Effect.flatMap(
      this.#reader.prune(retention, changesPerPrune),
      (count) => (count < changesPerPrune ? Effect.void : all),
    )
    const once = Effect.catch(all, (error) =>
      Effect.logDebug(`${this.#settings.name}: old changes were not deleted`, error),
    )
    return Effect.forever(Effect.andThen(Effect.sleep(pruneMillis), once))
  }
}
