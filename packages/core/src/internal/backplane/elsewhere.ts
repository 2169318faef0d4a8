/** Applies the messages of a backplane, by what orders the changes of the nodes that send them. */
import * as Effect from "effect/Effect"
import type { Message } from "../../Backplane.ts"
import { dropNearer } from "../recover/nearerTiers.ts"
import { dropLater } from "../recover/replay.ts"
import { Budget } from "../tier/budget.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import type { Engine } from "../state/engine.ts"
import { afterMark, markHere } from "../state/ownMarks.ts"
import { copiesChanged, counted, keyChanged } from "./changed.ts"

type Of<Tag extends Message["_tag"]> = Extract<Message, { readonly _tag: Tag }>

/** Above every version: the order of the change to what this node knows is unknown. */
const unordered = Number.MAX_SAFE_INTEGER

export const keyChangedElsewhere = (engine: Engine, message: Of<"Changed">): void => {
  const { arbiter } = engine.stack
  if (arbiter === undefined) return withoutOrder(engine, message)
  const { isRemoval, key } = message
  const change = { key, isRemoval, version: placeIn(engine, arbiter, message) }
  counted(engine, keyChanged(engine, change) !== undefined)
  copiesChanged(engine, change)
  if (!arbiter.isLocal) return
  engine.fibers.forkAwaited(changeOwn(engine, arbiter, message))
}

/**
 * Race: this node stored a value in a tier, looked up before the change, over the changed one. So each
 * tier drops the version that memory had, and keeps a higher one. A tier of this node alone has the old
 * value in any case: it goes after a removal, and otherwise must be confirmed by a lookup.
 */
const withoutOrder = (engine: Engine, { isRemoval, key }: Of<"Changed">): void => {
  const older = keyChanged(engine, { key, isRemoval, version: unordered })
  counted(engine, older !== undefined)
  for (const tier of engine.stack.farther) {
    const { isLocal } = tier
    if (isLocal) tier.copies.outdate(key, unordered)
    const dropped = isLocal && isRemoval ? unordered : older
    if (dropped !== undefined) engine.fibers.forkAwaited(dropNearer(engine, tier, key, dropped))
  }
}

/**
 * The place of a change in the order of this node's arbiter. Arbiters of two machines order by the
 * clocks of these machines; a clock that is ahead does not count.
 */
const placeIn = (engine: Engine, arbiter: FartherTier, { version }: Of<"Changed">): number => {
  const now = arbiter.time.placeOf(engine.stopwatch(), "most")
  return Math.min(version ?? unordered, now ?? unordered)
}

/**
 * Applies a change to an arbiter of this machine alone, whose file does not have it, unless the sender
 * shares the file: then the file has this version or a higher one. What the file does not take, it
 * drops later.
 */
const changeOwn = (
  engine: Engine,
  arbiter: FartherTier,
  message: Of<"Changed">,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { key } = message
    const madeAt = engine.stopwatch()
    return Effect.map(tried(engine, arbiter, message), (isDone) => {
      if (!isDone) dropLater(engine, key, { madeAt, atLeast: 0 })
    })
  })

/** Says whether the arbiter has the change. */
const tried = (
  engine: Engine,
  arbiter: FartherTier,
  message: Of<"Changed">,
): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const { isRemoval, key } = message
    yield* arbiter.marks.ready
    if (!arbiter.time.isKnown) return false
    const at = placeIn(engine, arbiter, message)
    if (isRemoval) {
      return (yield* arbiter.writes.write(key, { _tag: "Remove", at }, 0)) !== undefined
    }
    const [found] = yield* arbiter.read([key], new Budget(engine.settings.policy.tierBudget))
    if (found === undefined) return false
    if (found._tag !== "Entry" || found.entry.version >= at) return true
    return (yield* arbiter.writes.write(key, { _tag: "Expire" }, 0)) !== undefined
  })

export const markedElsewhere = (engine: Engine, message: Of<"Marked">): void => {
  const { keepStale, tags } = message
  counted(engine, true)
  const { arbiter } = engine.stack
  if (arbiter === undefined) markHere(engine, tags, keepStale)
  else engine.fibers.forkAwaited(markOwn(engine, arbiter, message))
}

/** Reads the marks of the arbiter, and sets those that it does not have: the sender has another one. */
const markOwn = (
  engine: Engine,
  arbiter: FartherTier,
  { keepStale, number, tags }: Of<"Marked">,
): Effect.Effect<void> =>
  Effect.gen(function* () {
    arbiter.marks.reading?.mayHaveMissed()
    const isRead = yield* arbiter.marks.read("latest")
    const lacking = tags.filter(
      (tag) => !engine.marks.has({ tag, keepStale, number: number ?? Infinity }),
    )
    if (lacking.length === 0) return afterMark(engine, tags, keepStale)
    const set = isRead ? yield* arbiter.marks.set(lacking, keepStale) : undefined
    if (set === undefined) markHere(engine, lacking, keepStale)
    else afterMark(engine, lacking, keepStale)
  })
