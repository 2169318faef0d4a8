/** Reads the pages of metrics again and again while a run lasts. */
import { Effect, type Scope } from "effect"
import { HttpClient, type HttpClientError } from "effect/http"
import { Readings } from "./readings.ts"

/** Gauges that rise and fall between two readings are not seen. */
const readEveryMillis = 1_000

/** Reads until the scope closes; the effect that is returned reads once more and has all that was read. */
export const start = (
  urls: ReadonlyArray<string>,
): Effect.Effect<
  Effect.Effect<Readings, HttpClientError.HttpClientError>,
  never,
  HttpClient.HttpClient | Scope.Scope
> =>
  Effect.gen(function* () {
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
    return Effect.as(read, readings)
  })
