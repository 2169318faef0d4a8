/** The process of the owner. `main.ts` starts it. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { RedisInvalidations } from "@larder/redis"
import { NodeSqliteClient } from "@larder/sqlite"
import { Cause, Effect, Layer, Queue } from "effect"
import { changing } from "./changing.ts"
import * as Owner from "./owner.ts"
import * as Parent from "./parent.ts"
import { known } from "./prices.ts"
import * as Protocol from "./protocol.ts"
import { watch } from "./reader.ts"
import { overRedis } from "./stack.ts"

const program = Effect.gen(function* () {
  const begin = yield* Parent.argument(Protocol.OwnerBegin)
  const asked = yield* Parent.heard(Protocol.Asked)

  const change = ({ cents, heldUpMillis, id, ticket }: Protocol.Change) =>
    changing[begin.way]({ id, cents, heldUp: heldUpMillis }).pipe(
      Effect.flatMap((price) => Parent.say({ _tag: "Changed", ticket, price })),
      Effect.catchTag("Overtaken", () => Parent.say({ _tag: "Overtaken", ticket })),
      Effect.catchCause((cause) =>
        Parent.say({ _tag: "Failed", ticket, why: Cause.pretty(cause) }),
      ),
    )
  const serving = Effect.all(
    [
      watch({
        who: begin.who,
        ids: begin.ids,
        read: known,
        saw: (sighting) => Parent.say({ _tag: "Saw", sighting }),
      }),
      Effect.forever(
        Effect.flatMap(Queue.take(asked), (one) =>
          one._tag === "Change" ? Effect.forkChild(change(one)) : Effect.void,
        ),
      ),
    ],
    { concurrency: "unbounded", discard: true },
  )
  const owner = Owner.layer({
    messages: RedisInvalidations.stream({ channel: begin.channel }),
    pollInterval: begin.pollMillis,
  }).pipe(
    Layer.provideMerge(
      Layer.mergeAll(overRedis(begin), NodeSqliteClient.layer({ filename: begin.database })),
    ),
  )
  yield* Parent.say({ _tag: "Ready" })
  // The first message opens it.
  const opened = Effect.andThen(Queue.take(asked), Effect.provide(serving, owner))
  yield* Effect.raceFirst(opened, Parent.gone)
})

NodeRuntime.runMain(program)
