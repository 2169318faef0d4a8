/**
 * The catalogue: an HTTP server that owns the products. `catalogueMain.ts` runs it in a process of
 * its own, as in production.
 *
 * `GET /products/7` returns one product, `GET /products?ids=7,8` the existing products of the list,
 * `POST /admin/phase` with `{"phase":"outage"}` changes how it behaves.
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Effect, type Layer, Predicate, Random, Ref, Schema } from "effect"
import { HttpRouter, type HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { type Fault, fate, Phase, priceListOf } from "./phases.ts"
import { productAt } from "./product.ts"

export const PhaseChange = Schema.Struct({ phase: Phase })

const Ids = Schema.Struct({ ids: Schema.String })

/** Applies a fault to a good answer. */
const spoilt = (
  fault: Exclude<Fault, "connection cut" | "hangs">,
  body: unknown,
): HttpServerResponse.HttpServerResponse => {
  const json = JSON.stringify(body ?? null)
  switch (fault) {
    case "server error":
      return HttpServerResponse.text("internal error", { status: 500 })
    case "unavailable":
      return HttpServerResponse.text("closed for repairs", { status: 503 })
    case "cut-off body":
      return HttpServerResponse.text(json.slice(0, json.length / 2), {
        contentType: "application/json",
      })
    case "wrong shape":
      return HttpServerResponse.jsonUnsafe({ item: body ?? null })
  }
}

interface State {
  readonly phase: Ref.Ref<Phase>
  readonly random: typeof Random.Random.Service
}

/**
 * Answers with the result of `find`, with 404 when it finds nothing, or with the fault that the
 * phase draws.
 */
const answer = Effect.fnUntraced(function* (state: State, find: (priceList: number) => unknown) {
  const phase = yield* Ref.get(state.phase)
  const { afterMillis, fault } = fate(
    phase,
    state.random.nextDoubleUnsafe(),
    state.random.nextDoubleUnsafe(),
  )
  yield* Effect.sleep(afterMillis)
  const body = find(priceListOf(phase))
  if (fault === "connection cut") {
    const request = yield* HttpServerRequest.HttpServerRequest
    NodeHttpServerRequest.toIncomingMessage(request).socket?.destroy()
  }
  // The server interrupts this fiber when the client disconnects, so fibers do not pile up here.
  if (fault === "connection cut" || fault === "hangs") return yield* Effect.never
  if (fault !== undefined) return spoilt(fault, body)
  return body === undefined
    ? HttpServerResponse.text("no longer sold", { status: 404 })
    : HttpServerResponse.jsonUnsafe(body)
})

const addRoutes = Effect.fnUntraced(function* (router: HttpRouter.HttpRouter) {
  const state: State = { phase: yield* Ref.make<Phase>("cold"), random: yield* Random.Random }

  yield* router.add(
    "GET",
    "/products/:id",
    Effect.flatMap(HttpRouter.params, ({ id }) =>
      answer(state, (priceList) => productAt(Number(id), priceList)),
    ),
  )
  yield* router.add(
    "GET",
    "/products",
    Effect.flatMap(HttpServerRequest.schemaSearchParams(Ids), ({ ids }) =>
      answer(state, (priceList) =>
        ids
          .split(",")
          .map((id) => productAt(Number(id), priceList))
          .filter(Predicate.isNotUndefined),
      ),
    ),
  )
  yield* router.add(
    "POST",
    "/admin/phase",
    Effect.flatMap(HttpServerRequest.schemaBodyJson(PhaseChange), ({ phase }) =>
      Effect.as(Ref.set(state.phase, phase), HttpServerResponse.empty({ status: 204 })),
    ),
  )
})

/** The catalogue on an `HttpServer`; `seed` fixes the sequence of latencies and faults. */
export const layer = (seed: number): Layer.Layer<never, never, HttpServer.HttpServer> =>
  HttpRouter.serve(
    HttpRouter.use((router) => addRoutes(router).pipe(Random.withSeed(seed))),
    { disableLogger: true, disableListenLog: true },
  )
