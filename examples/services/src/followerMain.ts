/** The process of a follower. `main.ts` starts it. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Layer } from "effect"
import { ReadPrices } from "./follower.ts"
import * as Parent from "./parent.ts"
import * as Protocol from "./protocol.ts"
import { watch } from "./reader.ts"
import { overRedis } from "./stack.ts"

const program = Effect.gen(function* () {
  const begin = yield* Parent.argument(Protocol.FollowerBegin)
  const serving = Effect.all(
    [
      watch({
        who: begin.who,
        ids: begin.ids,
        read: (id) => ReadPrices.get(id),
        saw: (sighting) => Parent.say({ _tag: "Saw", sighting }),
      }),
      Parent.say({ _tag: "Ready" }),
    ],
    { concurrency: "unbounded", discard: true },
  )
  const follower = ReadPrices.layer.pipe(Layer.provide(overRedis(begin)))
  yield* Effect.raceFirst(Effect.provide(serving, follower), Parent.gone)
})

NodeRuntime.runMain(program)
