/**
 * Changes that the arbiter missed while it was away. Until they have reached it,
 * nothing it says is believed; then it holds nothing older than they are.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Entry } from "../Entry.ts"
import type { Engine } from "./engine.ts"
import type { FartherTier } from "./fartherTier.ts"
import { Budget } from "./tierSteps.ts"
import type { MissedMark } from "./missed.ts"

/** More keys become one mark: dropping what is in doubt is safe, a queue without a bound is not. */
const maxKeys = 1_000
const retryEvery = 1_000

/** The arbiter could still have an older value at the key: it is to be dropped. */
export const dropLater = (engine: Engine, k: string): void => {
  const { missed } = engine
  missed.keys.add(k)
  if (missed.keys.size > maxKeys) {
    missed.keys.clear()
    missed.keysForgotten = true
    missed.marks.push({ tags: [undefined], keepStale: true })
  }
  retryLater(engine)
}

export const markLater = (engine: Engine, mark: MissedMark): void => {
  const { missed } = engine
  missed.marks.push(mark)
  if (missed.marks.length > maxKeys) {
    const keepStale = missed.marks.every((other) => other.keepStale)
    missed.marks.splice(0, Infinity, { tags: [undefined], keepStale })
  }
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
    engine.fork(
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
    engine.fork(recover(engine))
  })
}

/**
 * Whether what the arbiter has at a key can be believed: nothing of what it missed
 * may concern the key. Where the arbiter is one server, it has to hear of everything
 * first. Where one of several is away, the keys of the others are believed, and
 * judged by {@link judgeable}.
 */
export const isBelieved = ({ missed, stack }: Engine, k: string): boolean => {
  const { arbiter } = stack
  if (missed.isEmpty || arbiter === undefined) return true
  if (arbiter.isOne || missed.keysForgotten || missed.keys.has(k)) return false
  // Its marks wait only for their own server, which would have to answer for this key too.
  return missed.marks.length === 0 || arbiter.partOf(k) !== arbiter.partOf(undefined)
}

/**
 * An entry of the arbiter while it has not heard of marks of this node. Race: another
 * node sets a mark, whose number is above those that this node gave to its own, and
 * stores what it had looked up before them: by its `asOf` alone the entry would be
 * younger than all marks. So it counts as looked up before the first own mark.
 */
export const judgeable = (
  { marks, missed, stack }: Engine,
  tier: FartherTier,
  entry: Entry<unknown>,
): Entry<unknown> => {
  if (tier !== stack.arbiter || missed.marks.length === 0) return entry
  return { ...entry, asOf: marks.surelyAfter(entry.asOf) }
}

/** Replays what was missed; says whether nothing is left. Reads of keys that it may concern wait for it. */
export const recover = (engine: Engine, budget?: Budget): Effect.Effect<boolean> =>
  Effect.suspend(() => {
    if (engine.missed.isEmpty) return Effect.succeed(true)
    // What a reader began after the end would be written after the end.
    return engine.closed ? Effect.succeed(false) : Fiber.join(replayOnce(engine, budget))
  })

/** On its own, so that it goes on when the reader leaves, and the larder waits for it before it closes. */
export const replayOnce = (engine: Engine, budget?: Budget): Fiber.Fiber<boolean> =>
  engine.fork(
    Effect.suspend(() => {
      const { arbiter } = engine.stack
      const { missed } = engine
      if (arbiter === undefined || missed.isEmpty) return Effect.succeed(true)
      if (missed.running) return Effect.succeed(false)
      missed.running = true
      const changes = missed.keys.size + missed.marks.length
      return replay(engine, arbiter, budget).pipe(
        Effect.ensuring(Effect.sync(() => (missed.running = false))),
        Effect.map((done) => {
          if (done) engine.observer.tell({ _tag: "Recovered", tier: arbiter.name, changes })
          else retryLater(engine)
          return done
        }),
      )
    }),
    engine.settling,
  )

/** One server that does not answer keeps nothing from the others. */
const replay = (
  engine: Engine,
  arbiter: FartherTier,
  budget: Budget | undefined,
): Effect.Effect<boolean> => {
  const { missed } = engine
  const marksPart = arbiter.partOf(undefined)
  const ofPart = new Map<string, Array<string>>([[marksPart, []]])
  for (const k of missed.keys) {
    const part = arbiter.partOf(k)
    const others = ofPart.get(part)
    if (others === undefined) ofPart.set(part, [k])
    else others.push(k)
  }
  const budgets: Array<Budget> = []
  const parts = Array.from(ofPart, ([part, keys]) => {
    const own = budget && new Budget(budget.whole, budget.left)
    if (own !== undefined) budgets.push(own)
    const marks = part === marksPart ? replayMarks(engine, arbiter, own) : Effect.succeed(true)
    return Effect.flatMap(marks, (done) =>
      done ? replayKeys(engine, arbiter, keys, own) : Effect.succeed(false),
    )
  })
  return Effect.map(Effect.all(parts, { concurrency: "unbounded" }), (done) => {
    if (budget !== undefined) budget.left = Math.min(...budgets.map(({ left }) => left))
    return !done.includes(false)
  })
}

const replayMarks = (
  { missed }: Engine,
  arbiter: FartherTier,
  budget: Budget | undefined,
): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    for (let mark = missed.marks[0]; mark !== undefined; mark = missed.marks[0]) {
      if ((yield* arbiter.mark(mark.tags, mark.keepStale, budget)) === undefined) return false
      missed.marks.shift()
    }
    missed.keysForgotten = false
    return true
  })

const replayKeys = (
  { missed, near }: Engine,
  arbiter: FartherTier,
  keys: ReadonlyArray<string>,
  budget: Budget | undefined,
): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    for (const k of keys) {
      // A later change of the key may have reached the arbiter meanwhile.
      if (!missed.keys.has(k)) continue
      const present = near.peek(k)?.entry.version ?? 0
      if ((yield* arbiter.write(k, { _tag: "Remove" }, present, budget)) === undefined) return false
      missed.keys.delete(k)
    }
    return true
  })
