/** Compresses and decompresses with the platform's streams, and bounds the length of the output. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"

export type Format = "gzip" | "deflate" | "deflate-raw"

/** The output is longer than the bound; the rest of it was not read. */
export class TooLong extends Data.TaggedError("TooLong")<{ readonly maxBytes: number }> {}

/** The stream rejects the bytes, or the platform has no such stream. */
export class StreamFailed extends Data.TaggedError("StreamFailed")<{ readonly cause: unknown }> {}

interface Pair {
  readonly readable: ReadableStream<Uint8Array>
  readonly writable: WritableStream<BufferSource>
}

const joined = (chunks: ReadonlyArray<Uint8Array>, length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return bytes
}

const failed = (cause: unknown): StreamFailed => new StreamFailed({ cause })

const collected = (reader: ReadableStreamDefaultReader<Uint8Array>, maxBytes: number) =>
  Effect.gen(function* () {
    const chunks: Array<Uint8Array> = []
    let length = 0
    while (true) {
      const { done, value } = yield* Effect.tryPromise({ try: () => reader.read(), catch: failed })
      if (done) return joined(chunks, length)
      length += value.length
      if (length > maxBytes) return yield* new TooLong({ maxBytes })
      chunks.push(value)
    }
  })

const ignore = (): void => {}

const through = (
  bytes: Uint8Array,
  open: () => Pair,
  maxBytes: number,
): Effect.Effect<Uint8Array, TooLong | StreamFailed> =>
  Effect.gen(function* () {
    const { readable, writable } = yield* Effect.try({ try: open, catch: failed })
    const writer = writable.getWriter()
    const reader = readable.getReader()
    // Not awaited: a write ends only when the reader has read enough. An error here reaches the reader too.
    writer.write(new Uint8Array(bytes)).catch(ignore)
    writer.close().catch(ignore)
    return yield* Effect.onExit(collected(reader, maxBytes), (exit) =>
      // Stop a stream that was not read to its end.
      exit._tag === "Success" ? Effect.void : Effect.sync(() => void reader.cancel().catch(ignore)),
    )
  })

export const compress = (
  bytes: Uint8Array,
  format: Format,
): Effect.Effect<Uint8Array, TooLong | StreamFailed> =>
  // An output that is not shorter than the input is useless.
  through(bytes, () => new CompressionStream(format), bytes.length - 1)

export const decompress = (
  bytes: Uint8Array,
  format: Format,
  maxBytes: number,
): Effect.Effect<Uint8Array, TooLong | StreamFailed> =>
  through(bytes, () => new DecompressionStream(format), maxBytes)
