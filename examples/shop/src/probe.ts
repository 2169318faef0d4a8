/** Watches the prices of a few products in one shop, to see when they change. */
import { Clock, Effect, type Scope } from "effect"
import type { Shop } from "./contenders.ts"

/** The products that are watched: few, so that each is read often. */
export const watched: ReadonlyArray<number> = [0, 1, 2, 3, 4]

/**
 * Milliseconds of monotonic time, which all processes of a machine share: times of different nodes
 * can be compared.
 */
export const monotonicMillis: Effect.Effect<number> = Effect.map(
  Clock.monotonicTimeNanos,
  (nanos) => Number(nanos / 1_000n) / 1_000,
)

export interface Probe {
  /**
   * The moment at which all watched products had their new price: the first answer that shows it, of
   * the last of them. Undefined while a product has its old price.
   */
  readonly allNew: Effect.Effect<number | undefined>
}

/** Reads each watched product, pauses and reads it again, until the scope closes. */
export const watch = (shop: Shop, pauseMillis: number): Effect.Effect<Probe, never, Scope.Scope> =>
  Effect.gen(function* () {
    const changed = new Map<number, number>()
    const look = Effect.fnUntraced(function* (id: number) {
      const view = yield* shop.page(id)
      if (view._tag !== "Shown") return
      // A product can go back to its old price: then its first new price was not the change.
      if (view.product.priceList === 1) changed.delete(id)
      else if (!changed.has(id)) changed.set(id, yield* monotonicMillis)
    })
    yield* Effect.forEach(watched, (id) =>
      Effect.forkScoped(Effect.forever(Effect.andThen(look(id), Effect.sleep(pauseMillis)))),
    )
    return {
      allNew: Effect.sync(() =>
        changed.size < watched.length ? undefined : Math.max(...changed.values()),
      ),
    }
  })

/** Waits until all watched products have their new price; undefined if they do not within `millis`. */
export const awaitNew = (probe: Probe, millis: number): Effect.Effect<number | undefined> =>
  Effect.gen(function* () {
    const end = (yield* monotonicMillis) + millis
    let moment = yield* probe.allNew
    while (moment === undefined && (yield* monotonicMillis) < end) {
      yield* Effect.sleep(20)
      moment = yield* probe.allNew
    }
    return moment
  })
