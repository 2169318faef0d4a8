/** A catalogue for tests: a scripted `HttpClient`, in virtual time and without a socket. */
import { Effect, Layer, Ref } from "effect"
import { HttpClient, HttpClientError, HttpClientResponse } from "effect/http"
import type { Fault } from "../src/phases.ts"
import { productAt } from "../src/product.ts"

/** How the catalogue answers the next requests. */
export interface Mood {
  readonly latencyMillis: number
  readonly fault?: Fault | undefined
  readonly priceList?: number | undefined
}

export interface Scripted {
  readonly layer: Layer.Layer<HttpClient.HttpClient>
  readonly behave: (mood: Mood) => Effect.Effect<void>
  /** The paths requested since the last call. */
  readonly asked: Effect.Effect<ReadonlyArray<string>>
}

const answerTo = (url: URL, priceList: number): unknown => {
  const ids = url.searchParams.get("ids")
  if (ids === null) return productAt(Number(url.pathname.split("/").at(-1)), priceList)
  return ids
    .split(",")
    .map((id) => productAt(Number(id), priceList))
    .filter((product) => product !== undefined)
}

const respond = (url: URL, { fault, priceList = 1 }: Mood): Response => {
  const answer = answerTo(url, priceList)
  const json = JSON.stringify(answer ?? null)
  switch (fault) {
    case "server error":
      return new Response("internal error", { status: 500 })
    case "unavailable":
      return new Response("closed for repairs", { status: 503 })
    case "cut-off body":
      return new Response(json.slice(0, json.length / 2))
    case "wrong shape":
      return new Response(JSON.stringify({ item: answer ?? null }))
    default:
      return answer === undefined
        ? new Response("no longer sold", { status: 404 })
        : new Response(json)
  }
}

export const make: Effect.Effect<Scripted> = Effect.gen(function* () {
  const mood = yield* Ref.make<Mood>({ latencyMillis: 20 })
  const asked = yield* Ref.make<ReadonlyArray<string>>([])
  const client = HttpClient.make((request, url) =>
    Effect.gen(function* () {
      yield* Ref.update(asked, (paths) => [...paths, url.pathname + url.search])
      const current = yield* Ref.get(mood)
      yield* Effect.sleep(current.latencyMillis)
      if (current.fault === "hangs") return yield* Effect.never
      if (current.fault === "connection cut") {
        return yield* new HttpClientError.HttpClientError({
          reason: new HttpClientError.TransportError({ request, cause: "connection cut" }),
        })
      }
      return HttpClientResponse.fromWeb(request, respond(url, current))
    }),
  )
  return {
    layer: Layer.succeed(HttpClient.HttpClient, client),
    behave: (next) => Ref.set(mood, next),
    asked: Ref.getAndSet(asked, []),
  }
})
