/** `remove` and `expire`, counted and told. */
import type * as Effect from "effect/Effect"
import type { Engine } from "../state/engine.ts"
import type { Ack } from "./ack.ts"
import { change } from "./change.ts"
import { changed } from "./tellChanged.ts"

const nothingKept = { kept: undefined, isNewer: undefined }

export const remove = (engine: Engine, key: unknown, k: string): Effect.Effect<Ack> =>
  changed(
    engine,
    "remove",
    k,
    change(engine, k, { key, change: { _tag: "Remove" }, ...nothingKept }),
  )

export const expire = (engine: Engine, key: unknown, k: string): Effect.Effect<Ack> =>
  changed(
    engine,
    "expire",
    k,
    change(engine, k, { key, change: { _tag: "Expire" }, ...nothingKept }),
  )
