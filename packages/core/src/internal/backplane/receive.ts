/**
 * Applies messages about changes by other nodes: to memory, to tiers in front of the arbiter, and to
 * lookups and changes under way. A message has the same effect in any order, late, or twice, since
 * versions and numbers of marks decide. A message for an absent key costs one look-up and reads no tier.
 */
import type { Message } from "../../Tier.ts"
import type { Engine } from "../state/engine.ts"
import { forgetStale } from "../state/generation.ts"
import type { FartherTier } from "../tier/backingTier.ts"
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
    case "Marked":
      return marked(engine, arbiter, message)
    case "Gap":
      return message.isOver
        ? ended(engine, arbiter, message)
        : detected(engine, arbiter, message.reason, message.part)
  }
}

const changed = (engine: Engine, arbiter: FartherTier, message: Of<"Changed">): void => {
  const { isRemoval, key, version } = message
  engine.flights.hear(key, version)
  if (isRemoval) forgetStale(engine, key, version)
  engine.changes.hear(key, version)
  engine.writes.hear(key, { version, isRemoval })
  engine.reads.hear(key)
  engine.failures.forget(key)
  for (const tier of engine.stack.farther) tier.copies.outdate(key, version)
  outdated(engine, arbiter, message)
  // Last, so that a flight that waits for the change finds everything else done.
  engine.signals.hear(key)
}

/** Outdates an older entry in memory; replaces it with a value that came with the message. */
const outdated = (
  engine: Engine,
  arbiter: FartherTier,
  { envelope, isRemoval, key, version }: Of<"Changed">,
): void => {
  const held = engine.near.peek(key)
  if (held === undefined || held.entry.version >= version) return
  engine.pushes.forget(key)
  engine.entries.outdate(key, version, isRemoval, engine.now())
  if (envelope !== undefined && !isOwn(engine, key, version)) {
    keepPushed(engine, arbiter, { k: key, asked: held.asked, version, envelope })
  }
}

/** Whether this node may have made the change: the end of the change or commit stores the value. */
const isOwn = ({ changes, leases }: Engine, key: string, version: number): boolean =>
  changes.isUnderWay(key) || leases.holder(key)?.lease?.token === version

/** Marks form a chain: each message names the mark before its own. */
const marked = (engine: Engine, arbiter: FartherTier, { page, previous }: Of<"Marked">): void => {
  const { marks } = engine
  if (page.last <= marks.readUpTo) return
  // A node that has not read any marks yet reads them all with its first read of the arbiter.
  const isHole = previous > marks.readUpTo && arbiter.marks.isKnown
  marks.merge(page, previous, engine.now())
  if (isHole) foundHole(engine, arbiter, arbiter.partOf(undefined))
}
