/** Reads the pages of metrics again and again while a run lasts. */
import { Effect, type Scope } from "effect"
import { HttpClient, type HttpClientError } from "effect/http"
import { Readings } from "./readings.ts"

/** Gauges that rise and fall between two readings are not seen. */
const readEveryMillis = 1_000

export interface Reader {
  /** Reads once more, and returns all that was read. */
  readonly last: Effect.Effect<Readings, HttpClientError.HttpClientError>
}

/** Reads until the scope closes. */
export const start = Effect.fnUntraced(function* (
  urls: ReadonlyArray<string>,
): Effect.fn.Return<Reader, never, HttpClient.HttpClient | Scope.Scope> {
  const http = yield* HttpClient.HttpClient
  const readings = new Readings()
  const read = Effect.forEach(
    urls,
    (url) =>
      http.get(url).pipe(
        Effect.flatMap((response) => response.text),
        Effect.map((page) => readings.add(url, page)),
      ),
    { concurrency: "unbounded", discard: true },
  )
  if (urls.length > 0) {
    // A reading that failed is made up for by the next one; the last must not fail.
    yield* Effect.forkScoped(Effect.forever(Effect.delay(Effect.ignore(read), readEveryMillis)))
  }
  return { last: Effect.as(read, readings) }
})
