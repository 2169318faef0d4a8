/** What a call of a closed larder ends with. */
import * as Exit from "effect/Exit"
import { LarderClosed } from "../../LarderError.ts"
import type { Engine } from "./engine.ts"

export const closed = ({ settings: { name } }: Engine): Exit.Exit<never> =>
  Exit.die(new LarderClosed({ larder: name }))
