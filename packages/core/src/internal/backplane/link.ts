/**
 * A larder's link to a backplane: sends this node's changes, and applies those of other nodes. The
 * versions of two nodes cannot be compared, so a change by another node counts as newer than all that
 * this node knows of the key.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { Backplane, Gap, Link, Message } from "../../Backplane.ts"
import type { Engine } from "../state/engine.ts"
import { counted } from "./changed.ts"
import { detected, ended } from "./gap.ts"
import { nodeName } from "./nodeName.ts"
import { keyChangedElsewhere, markedElsewhere } from "./elsewhere.ts"
import { sendOver } from "./send.ts"
import { safely, type Source } from "./source.ts"

/** The link as the source of messages. */
export const linked = (engine: Engine, backplane: Backplane): Source => {
  const node = nodeName(engine)
  engine.outbox.isInUse = true
  const receiveOne = (message: Message | Gap) =>
    safely(engine, () => receive(engine, node, message))
  const opened = Effect.tap(
    Effect.suspend(() => backplane.open({ larder: engine.settings.name })),
    (link) => sendOver(engine, node, link),
  )
  return {
    subscribe: Effect.map(opened, ({ messages }) => pump(engine, messages, receiveOne)),
    outlives: engine.stack.farther.some(({ isLocal }) => isLocal),
  }
}

/** Applies messages, all that have arrived in one step, until the queue ends. */
const pump = (
  engine: Engine,
  messages: Link["messages"],
  receive: (message: Message | Gap) => void,
): Effect.Effect<never> =>
  Effect.forever(
    Effect.flatMap(Queue.takeAll(messages), (arrived) => engine.turns.each(arrived, receive)),
  )

const receive = (engine: Engine, node: string, message: Message | Gap): void => {
  // Race: the larder closed while the message was on its way.
  if (engine.closed) return
  const { arbiter } = engine.stack
  if (message._tag === "Gap") {
    if (message.isOver) ended(engine, arbiter, { part: undefined })
    else detected(engine, arbiter, message.reason, undefined)
  } else if (message.node === node) counted(engine, false)
  else if (message._tag === "Changed") keyChangedElsewhere(engine, message)
  else markedElsewhere(engine, message)
}
