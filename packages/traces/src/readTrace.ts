/** Traces from files. */
import { createReadStream } from "node:fs"
import { pipeline, type Readable } from "node:stream"
import { createGunzip } from "node:zlib"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { lines } from "./lines.ts"
import { InvalidTrace, reader, type Recording, remedy } from "./recording.ts"

export interface Options {
  /**
   * The field of JSON lines that holds the key: its name, or a path such as `request.uri`.
   */
  readonly field?: string | undefined
}

const isGzip = (head: Buffer | null): boolean => head?.[0] === 0x1f && head[1] === 0x8b

/** The bytes of a file, decompressed if they begin with the gzip header. */
const contents = (file: string): Effect.Effect<Readable, Error> =>
  Effect.callback((resume) => {
    const stored = createReadStream(file, { highWaterMark: 256 * 1_024 })
    stored.once("error", (error) => resume(Effect.fail(error)))
    stored.once("readable", () => {
      const head: Buffer | null = stored.read(2)
      if (head !== null) stored.unshift(head)
      // An error of either stream reaches the reader of the decompressed bytes.
      resume(Effect.succeed(isGzip(head) ? pipeline(stored, createGunzip(), () => {}) : stored))
    })
  })

/**
 * Reads a trace. The format is that of most of the first lines, or JSON lines when a field is
 * given.
 */
export const readTrace = (
  file: string,
  { field }: Options = {},
): Effect.Effect<Recording, InvalidTrace> => {
  const invalid = (error: unknown): InvalidTrace => {
    if (error instanceof InvalidTrace) return error
    return new InvalidTrace({
      file,
      reason: error instanceof Error ? error.message : String(error),
      remedy,
    })
  }
  const attempt = <A>(read: () => A) => Effect.try({ try: read, catch: invalid })
  return Effect.gen(function* () {
    const bytes = yield* Effect.mapError(contents(file), invalid)
    const { end, take } = reader(file, field)
    const split = lines(take)
    yield* Stream.fromAsyncIterable<Buffer, InvalidTrace>(bytes, invalid).pipe(
      Stream.runForEach((piece) => attempt(() => split.write(piece))),
    )
    yield* attempt(split.end)
    return yield* attempt(end)
  })
}
