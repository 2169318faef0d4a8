/**
 * `invalidateTags` and `clear` set marks, each of which covers many keys at once. `invalidateWhen`
 * changes the keys in memory one by one.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import { catchUp, markLater } from "../recover/replay.ts"
import { step } from "../state/spanEvents.ts"
import type { Engine } from "../state/engine.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import { type Ack, isAllHeard } from "./ack.ts"
import { afterMark, markHere } from "../state/ownMarks.ts"
import { type InMemory, snapshotByKey } from "../state/snapshot.ts"
import { invalidOption } from "../state/settings.ts"
import { expire, remove } from "./removeExpire.ts"
import { seenThrough } from "./seenThrough.ts"
import { keysInvalidatedAtOnce, tagsPerMark } from "../runtime/limits.ts"

/**
 * The result of `invalidateWhen`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Invalidated {
  /** How many keys were invalidated. */
  readonly keys: number
  /** Whether every change is settled: see `Ack`. */
  readonly settled: boolean
  /** Tiers that have not received some of the changes yet. */
  readonly pending: ReadonlyArray<string>
}

/** Expires or removes, in every tier, each key in memory whose entry the predicate accepts. */
export const invalidateWhen = (
  engine: Engine,
  predicate: (one: InMemory<unknown, unknown>) => boolean,
  keepStale: boolean,
): Effect.Effect<Invalidated> =>
  Effect.suspend(() => {
    if (typeof predicate !== "function") {
      const must = "get a function that accepts the entries to invalidate"
      throw invalidOption(engine.settings.name, "invalidateWhen", must, predicate)
    }
    const chosen: Array<readonly [k: string, key: unknown]> = []
    const choosing = engine.turns.each([...snapshotByKey(engine)], ([k, one]) => {
      if (predicate(one)) chosen.push([k, one.key])
    })
    const change = keepStale ? expire : remove
    const changeOne = ([k, key]: readonly [k: string, key: unknown]) => change(engine, key, k)
    const changing = Effect.suspend(() =>
      Effect.forEach(chosen, changeOne, {
        concurrency: keysInvalidatedAtOnce,
      }),
    )
    return Effect.map(Effect.andThen(choosing, changing), (acks) => ({
      keys: acks.length,
      settled: acks.every(({ settled }) => settled),
      pending: [...new Set(acks.flatMap(({ pending }) => pending))],
    }))
  })

export const mark = (
  engine: Engine,
  tags: ReadonlyArray<string | undefined>,
  keepStale: boolean,
): Effect.Effect<Ack> =>
  Effect.suspend(() => {
    const { arbiter } = engine.stack
    if (arbiter === undefined) {
      const version = markHere(engine, tags, keepStale)
      engine.outbox.marked(tags, keepStale)
      return Effect.succeed({ version, settled: true, pending: [] })
    }
    return seenThrough(engine, markAll(engine, arbiter, tags, keepStale))
  })

const markAll = (
  engine: Engine,
  arbiter: FartherTier,
  tags: ReadonlyArray<string | undefined>,
  keepStale: boolean,
): Effect.Effect<Ack> =>
  Effect.gen(function* () {
    const caughtUp = catchUp(engine)
    const queuedBefore = engine.writes.count
    const acks = yield* Effect.forEach(Arr.chunksOf(tags, tagsPerMark), (part) =>
      markOnce(engine, arbiter, part, keepStale),
    )
    const ack = together(acks, engine.marks.last)
    if (!ack.settled || (yield* isAllHeard(engine, caughtUp, queuedBefore))) return ack
    return { ...ack, settled: false, pending: [arbiter.name] }
  })

/** One `Ack` for several marks. */
const together = (acks: ReadonlyArray<Ack>, last: number): Ack => {
  const unsettled = acks.find(({ settled }) => !settled)
  return {
    version: acks.at(-1)?.version ?? last,
    settled: unsettled === undefined,
    pending: unsettled?.pending ?? [],
  }
}

const markOnce = (
  engine: Engine,
  arbiter: FartherTier,
  tags: ReadonlyArray<string | undefined>,
  keepStale: boolean,
): Effect.Effect<Ack> =>
  Effect.map(step(engine, arbiter, "mark", arbiter.marks.set(tags, keepStale)), (number) => {
    engine.outbox.marked(tags, keepStale, number)
    if (number !== undefined) {
      afterMark(engine, tags, keepStale)
      return { version: number, settled: true, pending: [] }
    }
    markLater(engine, tags, keepStale)
    const version = markHere(engine, tags, keepStale)
    return { version, settled: false, pending: [arbiter.name] }
  })
