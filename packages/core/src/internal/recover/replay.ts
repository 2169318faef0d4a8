/**
 * Changes that the arbiter missed while it was away. Until they have reached it, nothing it
 * says of their keys is believed; then it holds nothing older than they are.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Entry } from "../../Entry.ts"
import type { Engine } from "../state/engine.ts"
import { capped } from "../state/localEntries.ts"
import type { FartherTier, FoundEntry } from "../tier/backingTier.ts"
import { Budget } from "../tier/budget.ts"
import type { MissedKey, MissedMark } from "../state/missedChanges.ts"

const retryEvery = 1_000
const retryAtEnd = 100
/** A round of the replay ends when as many keys in a row could not be sent. */
const keysAtOnce = 32

/** The arbiter could still have an older value at the key: it is to be dropped. */
export const dropLater = (engine: Engine, k: string, change: MissedKey): void => {
  engine.missed.addKey(k, change)
  retryLater(engine)
}

export const markLater = (
  engine: Engine,
  tags: ReadonlyArray<string | undefined>,
  keepStale: boolean,
): void => {
  engine.missed.addMarks(tags, keepStale)
  retryLater(engine)
}

/**
 * Keeps an entry in a tier that does not arbitrate; says whether it has. Where it
 * refuses, an older one goes. `isOrdered`: its version is above those of all older ones.
 */
export const keepNearer = (
  engine: Engine,
  tier: FartherTier,
  k: string,
  entry: Entry<unknown>,
  isOrdered: boolean,
): Effect.Effect<boolean> =>
  Effect.flatMap(isOrdered ? tier.put(k, entry) : tier.replace(k, entry), (done) =>
    done
      ? Effect.succeed(true)
      : Effect.as(dropNearer(engine, tier, k, isOrdered ? entry.version : undefined), false),
  )

/** Drops what a tier that does not arbitrate has up to a version, or whatever it has; tried again until it is done. */
export const dropNearer = (
  engine: Engine,
  tier: FartherTier,
  k: string,
  version: number | undefined,
): Effect.Effect<boolean> => orLater(engine, tier, tier.drop(k, version))

/** Expires what a tier that does not arbitrate has up to a version, or whatever it has; what it cannot expire is dropped, as above. */
export const expireNearer = (
  engine: Engine,
  tier: FartherTier,
  k: string,
  version: number | undefined,
): Effect.Effect<boolean> => {
  const budget = new Budget(engine.settings.policy.tierBudget)
  return orLater(engine, tier, tier.expire(k, version, budget))
}

const orLater = (
  engine: Engine,
  tier: FartherTier,
  followed: Effect.Effect<boolean>,
): Effect.Effect<boolean> =>
  Effect.tap(followed, (done) =>
    Effect.sync(() => {
      if (!done) dropMissedLater(engine, tier)
    }),
  )

const dropMissedLater = (engine: Engine, tier: FartherTier): void => {
  if (engine.missed.tiers.has(tier) || engine.closed) return
  engine.missed.tiers.add(tier)
  engine.timers.schedule(engine.now() + retryEvery, () => {
    engine.missed.tiers.delete(tier)
    engine.fibers.fork(
      Effect.map(tier.dropMissed, (done) => {
        if (!done) dropMissedLater(engine, tier)
      }),
    )
  })
}

const retryLater = (engine: Engine): void => {
  if (engine.missed.scheduled || engine.closed) return
  engine.missed.scheduled = true
  engine.timers.schedule(engine.now() + retryEvery, () => {
    engine.missed.scheduled = false
    replay(engine)
  })
}

/**
 * Whether what the arbiter has at a key can be believed: nothing of what it missed
 * may concern the key: no change of it, and no mark. Where the server that has the marks
 * is away, the keys of others are believed, and judged by {@link judgeable}.
 */
export const isBelieved = ({ missed, stack }: Engine, k: string): boolean => {
  const { arbiter } = stack
  if (missed.isEmpty || arbiter === undefined) return true
  if (missed.keysForgotten || missed.key(k) !== undefined) return false
  // Its marks wait only for their own server, which would have to answer for this key too.
  return !missed.hasMarks || arbiter.partOf(k) !== arbiter.partOf(undefined)
}

/**
 * What a tier has, as it is to be judged.
 *
 * Of a tier in front of the arbiter: fresh for no longer after the arbiter has confirmed it
 * than memory may take it for fresh.
 *
 * Of the arbiter, while it has not heard of marks of this node. Race: another
 * node sets a mark, whose number is above those that this node gave to its own, and
 * stores what it had looked up before them: by its `asOf` alone the entry would be
 * younger than all marks. So it counts as looked up before the first own mark.
 */
export const judgeable = (
  engine: Engine,
  tier: FartherTier,
  { confirmedAt, entry }: FoundEntry,
): Entry<unknown> => {
  const { marks, missed, stack } = engine
  if (tier === stack.arbiter) {
    return missed.hasMarks ? { ...entry, asOf: marks.surelyAfter(entry.asOf) } : entry
  }
  return confirmedAt === undefined ? entry : capped(entry, engine.entries.freshCap(confirmedAt))
}

/** What the arbiter missed is replayed before it is asked about these keys, for as long as the budget allows. */
export const recover = (
  engine: Engine,
  budget: Budget,
  keys: ReadonlyArray<string>,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    // What a reader began after the end would be written after the end.
    if (engine.closed || keys.every((k) => isBelieved(engine, k))) return Effect.void
    return within(engine, replay(engine), budget)
  })

/**
 * Begins to tell the arbiter what it missed. The effect says whether the arbiter knows of all then, and
 * waits until `tierTimeout` after the beginning. A change is made meanwhile: each has its place in the order.
 */
export const catchUp = (engine: Engine): Effect.Effect<boolean> => {
  if (engine.missed.isEmpty) return Effect.succeed(true)
  const began = engine.stopwatch()
  const budget = new Budget(engine.settings.policy.tierTimeout)
  const fiber = replay(engine)
  return Effect.suspend(() => {
    budget.left -= engine.stopwatch() - began
    return Effect.map(within(engine, fiber, budget), () => engine.missed.isEmpty)
  })
}

/** Waits for a fiber, for as long as the budget allows. The fiber goes on. */
const within = (engine: Engine, fiber: Fiber.Fiber<unknown>, budget: Budget): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (fiber.pollUnsafe() !== undefined || budget.left <= 0) return Effect.void
    const began = engine.stopwatch()
    const waiting = Effect.callback<void>((resume) => {
      const timer = engine.timers.after(began, budget.left, () => resume(Effect.void))
      const forget = fiber.addObserver(() => resume(Effect.void))
      return Effect.sync(() => {
        engine.timers.cancel(timer)
        forget()
      })
    })
    const spend = Effect.sync(() => {
      budget.left -= Math.min(budget.left, engine.stopwatch() - began)
    })
    return Effect.ensuring(waiting, spend)
  })

/**
 * Begins a replay, or gives the one that runs. A fiber of its own: it goes on when the reader
 * leaves, and the larder waits for it before it closes.
 */
export const replay = (engine: Engine): Fiber.Fiber<void> => {
  const { missed } = engine
  if (missed.replay !== undefined) return missed.replay
  const fiber = engine.fibers.forkAwaited(replayOnce(engine))
  if (fiber.pollUnsafe() !== undefined) return fiber
  missed.replay = fiber
  fiber.addObserver(() => {
    missed.replay = undefined
  })
  return fiber
}

/** Tries until the tiers know of all that they missed, for a larder that closes. */
export const tellMissed = (engine: Engine): Effect.Effect<void> =>
  Effect.gen(function* () {
    while (true) {
      yield* Fiber.await(replay(engine))
      const dropped = yield* Effect.forEach(engine.stack.farther, (tier) => tier.dropMissed)
      if (engine.missed.isEmpty && !dropped.includes(false)) return
      yield* Effect.sleep(retryAtEnd)
    }
  })

const replayOnce = (engine: Engine): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { arbiter } = engine.stack
    const { missed } = engine
    if (arbiter === undefined || missed.isEmpty) return Effect.void
    // Places in the arbiter's order are its time.
    return Effect.andThen(arbiter.ready, sendAll(engine, arbiter)).pipe(
      Effect.map((isWell) => {
        missed.failures = isWell ? 0 : missed.failures + 1
        if (!missed.isEmpty) return retryLater(engine)
        const { sent } = missed
        missed.sent = 0
        engine.observer.tell({ _tag: "Recovered", tier: arbiter.name, changes: sent })
      }),
    )
  })

/** Says whether the arbiter took all that was sent. One server that does not answer keeps nothing from the others. */
const sendAll = (engine: Engine, arbiter: FartherTier): Effect.Effect<boolean> =>
  Effect.suspend(() => {
    const { hasMarks, keys } = engine.missed
    const ofPart = Map.groupBy(keys, ([k]) => arbiter.partOf(k))
    const marksPart = arbiter.partOf(undefined)
    if (hasMarks && !ofPart.has(marksPart)) ofPart.set(marksPart, [])
    const parts = Array.from(ofPart, ([part, theirs]) =>
      Effect.gen(function* () {
        const isMarked = part !== marksPart || (yield* sendAllMarks(engine, arbiter))
        return (yield* sendKeys(engine, arbiter, theirs)) && isMarked
      }),
    )
    return Effect.map(
      Effect.all(parts, { concurrency: "unbounded" }),
      (done) => !done.includes(false),
    )
  })

const sendAllMarks = (engine: Engine, arbiter: FartherTier): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const { marks } = engine.missed
    for (const keepStale of [false, true]) {
      const ofKind = marks.filter((mark) => mark.keepStale === keepStale)
      if (ofKind.length === 0) continue
      if (!(yield* sendMarks(engine, arbiter, ofKind, keepStale))) return false
    }
    return true
  })

/**
 * The keys of one server. After a failure one key goes first: while the server is away, each attempt
 * costs one step. Where some are taken, the others are tried as well.
 */
const sendKeys = (
  engine: Engine,
  arbiter: FartherTier,
  keys: ReadonlyArray<readonly [string, MissedKey]>,
): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const { failures } = engine.missed
    const [first, rest] = Arr.splitAt(keys, failures === 0 ? 0 : 1)
    let isWell = true
    for (const chunk of [first, ...Arr.chunksOf(rest, keysAtOnce)]) {
      const sent = yield* Effect.forEach(
        chunk,
        ([k, change]) => sendKey(engine, arbiter, k, change),
        { concurrency: "unbounded" },
      )
      isWell = isWell && !sent.includes(false)
      if (chunk.length > 0 && !sent.includes(true)) break
    }
    return isWell
  })

const sendMarks = (
  engine: Engine,
  arbiter: FartherTier,
  marks: ReadonlyArray<MissedMark>,
  keepStale: boolean,
): Effect.Effect<boolean> => {
  const tags = marks.map(({ tag }) => tag)
  return Effect.map(arbiter.mark(tags, keepStale), (number) => {
    if (number === undefined) return false
    for (const mark of marks) engine.missed.heardMark(mark)
    engine.missed.sent += marks.length
    return true
  })
}

/** Race: another node has changed the key since. Its change is above the place of this one, and stays. */
const sendKey = (
  engine: Engine,
  arbiter: FartherTier,
  k: string,
  change: MissedKey,
): Effect.Effect<boolean> =>
  Effect.suspend(() => {
    const place = arbiter.time.placeOf(change.madeAt, "most")
    // At a place that is too low the change would leave what is older: it waits until the arbiter's time is known.
    if (place === undefined && change.madeAt > -Infinity) return Effect.succeed(false)
    const at = Math.max(change.atLeast, place ?? 0)
    return Effect.map(arbiter.write(k, { _tag: "Remove", at }, 0), (written) => {
      if (written === undefined) return false
      engine.missed.heardKey(k, change)
      engine.missed.sent += 1
      return true
    })
  })
