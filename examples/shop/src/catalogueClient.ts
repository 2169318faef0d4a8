/** The catalogue as the shop sees it: two calls, and two kinds of failure. */
import { Context, Effect, Layer, Schedule, Schema } from "effect"
import { HttpClient, type HttpClientError, type HttpClientResponse } from "effect/http"
import { Product } from "./product.ts"

/** The catalogue answered: the product is no longer sold. Not an outage. */
export class ProductGone extends Schema.TaggedError<ProductGone>()("ProductGone", {
  id: Schema.Int,
}) {}

/** The catalogue did not answer, or answered with an error or invalid data. */
export class CatalogueFault extends Schema.TaggedError<CatalogueFault>()("CatalogueFault", {
  reason: Schema.String,
}) {}

/**
 * The timeouts of each shop: this long for one request, one retry after a fault, and two seconds in
 * all. A request that hangs leaves time for the retry.
 */
const patienceOnce = "1300 millis"
export const patience = "2 seconds"
export const onceMore = Schedule.recurs(1).pipe(
  Schedule.addDelay(() => Effect.succeed("50 millis")),
  Schedule.setInputType<CatalogueFault | ProductGone>(),
  Schedule.while(({ input }) => input._tag === "CatalogueFault"),
)

const decodeProduct = Schema.decodeEffect(Schema.fromJsonString(Product))
const decodeProducts = Schema.decodeEffect(Schema.fromJsonString(Schema.Array(Product)))

const malformed = (error: Schema.SchemaError) =>
  new CatalogueFault({ reason: `malformed: ${error.message}` })

const unreachable = (error: HttpClientError.HttpClientError) =>
  new CatalogueFault({ reason: error.message })

const inTime = Effect.timeoutOrElse({
  duration: patienceOnce,
  orElse: () => Effect.fail(new CatalogueFault({ reason: "took too long" })),
})

// Read the body whatever the status is: only then is the connection free again.
const body = (response: HttpClientResponse.HttpClientResponse) =>
  Effect.map(response.text, (text) => ({ status: response.status, text }))

const expectOk = ({ status, text }: { readonly status: number; readonly text: string }) =>
  status === 200
    ? Effect.succeed(text)
    : Effect.fail(new CatalogueFault({ reason: `status ${status}` }))

export class CatalogueClient extends Context.Service<
  CatalogueClient,
  {
    readonly product: (id: number) => Effect.Effect<Product, CatalogueFault | ProductGone>
    /** Several products in one call; the answer leaves out those no longer sold. */
    readonly products: (
      ids: ReadonlyArray<number>,
    ) => Effect.Effect<ReadonlyMap<number, Product>, CatalogueFault>
  }
>()("shop/CatalogueClient") {
  static readonly layer = (
    url: string,
  ): Layer.Layer<CatalogueClient, never, HttpClient.HttpClient> =>
    Layer.effect(
      CatalogueClient,
      Effect.map(HttpClient.HttpClient, (http) => ({
        product: (id) =>
          http.get(`${url}/products/${id}`).pipe(
            Effect.flatMap(body),
            Effect.mapError(unreachable),
            Effect.filterOrFail(
              ({ status }) => status !== 404,
              () => new ProductGone({ id }),
            ),
            Effect.flatMap(expectOk),
            Effect.flatMap((text) => Effect.mapError(decodeProduct(text), malformed)),
            inTime,
          ),
        products: (ids) =>
          http.get(`${url}/products`, { urlParams: { ids: ids.join(",") } }).pipe(
            Effect.flatMap(body),
            Effect.mapError(unreachable),
            Effect.flatMap(expectOk),
            Effect.flatMap((text) => Effect.mapError(decodeProducts(text), malformed)),
            Effect.map((products) => new Map(products.map((product) => [product.id, product]))),
            inTime,
          ),
      })),
    )
}
