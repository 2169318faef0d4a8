/**
 * Applies messages about changes by other nodes: to memory, to tiers in front of the arbiter, and to
 * lookups and changes under way. A message has the same effect in any order, late, or twice, since
 * versions and numbers of marks decide. A message for an absent key costs one look-up and reads no tier.
 */
import type { Message } from "../../Tier.ts"
import type { Engine } from "../state/engine.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import { copiesChanged, counted, keyChanged } from "./changed.ts"
import { detected, ended, foundHole } from "./gap.ts"
import { keepPushed } from "./pushed.ts"

type Of<Tag extends Message["_tag"]> = Extract<Message, { readonly _tag: Tag }>

/** Applies one message of the arbiter. */
export const receive = (engine: Engine, arbiter: FartherTier, message: Message): void => {
  // Race: the larder closed while the message was on its way.
  if (engine.closed) return
  switch (message._tag) {
    case "Changed":
      return changed(engine, arbiter, message)
    case "Released":
      return counted(engine, engine.signals.hear(message.key))
    case "Marked":
      return marked(engine, arbiter, message)
    case "Gap": {
      const { isOver, part, reason } = message
      if (!isOver) return detected(engine, arbiter, reason, part)
      // The tier noticed no begin of a hole.
      return reason === "hole" ? foundHole(engine, arbiter, part) : ended(engine, arbiter, message)
    }
  }
}

const changed = (engine: Engine, arbiter: FartherTier, message: Of<"Changed">): void => {
  const { envelope, isRemoval, key, version } = message
  const asked = engine.near.peek(key)?.asked
  // What this node queues from now on comes after the change, also within the millisecond.
  arbiter.time.wasGiven(version)
  // Other messages may be of looked-up values, whose version is from before the lookup.
  if (isRemoval) delayed(engine, arbiter, version)
  copiesChanged(engine, message)
  const isNews = keyChanged(engine, message) !== undefined && !isOwn(engine, key, version)
  counted(engine, isNews)
  if (isNews && envelope !== undefined) {
    keepPushed(engine, arbiter, { k: key, asked, version, envelope })
  }
  // Last, so that a flight that waits for the change finds everything else done.
  engine.signals.hear(key)
}

/** Records how long a message took since the change that was given this number, by the arbiter's time. */
const delayed = (engine: Engine, arbiter: FartherTier, version: number): void => {
  const now = arbiter.time.placeOf(engine.stopwatch(), "least")
  if (now !== undefined)
    engine.observer.measures.messageDelays.record(Math.max(0, now - version) / 1e6)
}

/** Whether this node may have made the change: the end of the change or commit stores the value. */
const isOwn = ({ changes, leases }: Engine, key: string, version: number): boolean =>
  changes.isUnderWay(key) || leases.holder(key)?.lease?.token === version

/** Marks form a chain: each message names the mark before its own. */
const marked = (engine: Engine, arbiter: FartherTier, { page, previous }: Of<"Marked">): void => {
  const { marks } = engine
  const isNews = page.last > marks.readUpTo
  counted(engine, isNews)
  if (!isNews) return
  delayed(engine, arbiter, page.last)
  // A node that has not read any marks yet reads them all with its first read of the arbiter.
  const isHole = previous > marks.readUpTo && arbiter.marks.isKnown
  marks.merge(page, previous, engine.now())
  if (isHole) foundHole(engine, arbiter, arbiter.partOf(undefined))
}
