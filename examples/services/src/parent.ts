/** The other side of a process: the command that has started it. */
import { Effect, Option, Queue, Schema } from "effect"
import { Said } from "./protocol.ts"

const encode = Schema.encodeSync(Schema.toCodecJson(Said))

export const say = (said: Said): Effect.Effect<void> =>
  Effect.sync(() => void process.send?.(encode(said)))

/** Messages as they come. */
export const heard = <A>(schema: Schema.ConstraintDecoder<A>) => {
  const decode = Schema.decodeUnknownOption(schema)
  return Effect.gen(function* () {
    const queue = yield* Queue.unbounded<A>()
    process.on("message", (message) => {
      const decoded = decode(message)
      if (Option.isSome(decoded)) Queue.offerUnsafe(queue, decoded.value)
    })
    return queue
  })
}

/** Ends when the command has gone, however it went. */
export const gone: Effect.Effect<void> = Effect.callback((resume) => {
  process.once("disconnect", () => resume(Effect.void))
})

/** The argument of the process. */
export const argument = <A>(schema: Schema.ConstraintDecoder<A>) =>
  Schema.decodeEffect(Schema.fromJsonString(schema))(process.argv[2] ?? "")
