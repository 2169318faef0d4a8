/** `remove` and `expire`. */
import type { Engine } from "../state/engine.ts"
import { change } from "./change.ts"

const nothingKept = { kept: undefined, isNewer: undefined }

export const remove = (engine: Engine, key: unknown, k: string) =>
  change(engine, k, { key, change: { _tag: "Remove" }, ...nothingKept })

export const expire = (engine: Engine, key: unknown, k: string) =>
  change(engine, k, { key, change: { _tag: "Expire" }, ...nothingKept })
