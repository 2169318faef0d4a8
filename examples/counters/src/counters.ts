/**
 * Three ways to count page views. Each has the same two operations, so that the command and the tests count
 * by each of them alike.
 */
import { Larder, Outbox, Policy, Upstream, WriteBehind } from "@larder/core"
import { Context, Effect, Layer, Option, Schema } from "effect"
import { Counts } from "./counts.ts"

const policy = Policy.make({ freshFor: "1 minute", staleIfError: "1 hour" })

const source = Upstream.make({
  lookup: (page: string) => Counts.use(({ count }) => count(page)),
})

/** How long a view may wait before the source has it. */
export const maxLag = "200 millis"

export class Counter extends Context.Service<
  Counter,
  {
    /** Counts a view. When it ends, the view is counted, as far as this way of counting promises. */
    readonly view: (page: string) => Effect.Effect<void, unknown>
    readonly views: (page: string) => Effect.Effect<number, unknown>
    /** Ends when the source has all that was counted before. */
    readonly flush: Effect.Effect<void, unknown>
  }
>()("counters/Counter") {}

/** The source counts, and the cache gets what it says. */
export class Through extends Larder.Service<Through>()("counters/Through", {
  value: Schema.Finite,
  upstream: source,
  policy,
}) {}

export const through = Layer.effect(
  Counter,
  Effect.gen(function* () {
    const views = yield* Through
    const { addOne } = yield* Counts
    return Counter.of({
      view: (page) => Effect.asVoid(addOne(page).pipe(views.through(page))),
      views: (page) => views.get(page),
      flush: Effect.void,
    })
  }),
).pipe(Layer.provide(Through.layer))

/** Counts that the source does not have yet: the newest of each page. */
export class NewestCounts extends Outbox.Service<NewestCounts>()("counters/NewestCounts", {
  key: Schema.String,
  value: Schema.Finite,
}) {}

export class Behind extends Larder.Service<Behind>()("counters/Behind", {
  value: Schema.Finite,
  upstream: source.pipe(Outbox.overlay(NewestCounts)),
  policy,
}) {}

/** Of many counts of a page the source gets the last one. */
export class CountWrites extends WriteBehind.Service<CountWrites>()("counters/CountWrites", {
  larder: Behind,
  outbox: NewestCounts,
  maxLag,
  lock: "1 second",
  writeMany: (batch) =>
    Counts.use(({ setAll }) =>
      setAll(
        batch.map(({ key, value, version }) => ({
          page: key,
          count: Option.getOrElse(value, () => 0),
          version,
        })),
      ),
    ),
}) {}

/**
 * The cache counts, and the source follows: `update` changes the value all or nothing, and its version
 * orders the writes in the outbox. For pages that one process counts; where several do, merge.
 *
 * The function of `update` may run again after its write is in the outbox, when a flush has stored the
 * count anew meanwhile. The view must not be counted twice then. It sees `None` where no fresh count is in the
 * cache, and must not `get` inside, which waits for it: the count is looked up before it tries again.
 */
export const behind = Layer.effect(
  Counter,
  Effect.gen(function* () {
    const views = yield* Behind
    const outbox = yield* NewestCounts
    const writes = yield* CountWrites
    const waiting = (page: string) =>
      Effect.map(outbox.newest([page]), (found) => found.get(page)?.value ?? Option.none())
    const view = (page: string): Effect.Effect<void, unknown> =>
      Effect.suspend(() => {
        let isCounted = false
        const counting: Effect.Effect<void, unknown> = views
          .update(page, (current, { version }) =>
            Effect.gen(function* () {
              if (isCounted) return Option.orElse(yield* waiting(page), () => current)
              if (Option.isNone(current)) return current
              const value = Option.some(current.value + 1)
              yield* outbox.offer({ key: page, value, version })
              isCounted = true
              return value
            }),
          )
          .pipe(
            // The outbox has the view, and the next lookup gives the count.
            Effect.catchTag(["Contended", "NotSettled"], (error) =>
              isCounted ? Effect.void : Effect.fail(error),
            ),
            Effect.andThen(
              Effect.suspend(() =>
                isCounted ? Effect.void : Effect.andThen(views.get(page), counting),
              ),
            ),
          )
        return counting
      })
    return Counter.of({
      view,
      views: (page) => views.get(page),
      flush: Effect.asVoid(writes.flush),
    })
  }),
).pipe(
  Layer.provide(CountWrites.layer),
  Layer.provide(Behind.layer),
  Layer.provide(NewestCounts.layer),
)

/** Views that the source does not have yet: their number for each page. */
export class NewViews extends Outbox.Service<NewViews>()("counters/NewViews", {
  key: Schema.String,
  value: Schema.Finite,
  merge: (older, newer) => older + newer,
}) {}

export class Merged extends Larder.Service<Merged>()("counters/Merged", {
  value: Schema.Finite,
  upstream: source.pipe(Outbox.overlay(NewViews)),
  policy,
}) {}

export class ViewWrites extends WriteBehind.Service<ViewWrites>()("counters/ViewWrites", {
  larder: Merged,
  outbox: NewViews,
  maxLag,
  lock: "1 second",
  writeMany: (batch) =>
    Counts.use(({ addAll }) =>
      addAll(
        batch.map(({ key, value, version }) => ({
          page: key,
          count: Option.getOrElse(value, () => 0),
          version,
        })),
      ),
    ),
}) {}

/** The outbox counts, and the source adds: nobody needs to know the count to count a view. */
export const merged = Layer.effect(
  Counter,
  Effect.gen(function* () {
    const views = yield* Merged
    const writes = yield* ViewWrites
    return Counter.of({
      view: (page) => Effect.asVoid(writes.put(page, 1)),
      views: (page) => views.get(page),
      flush: Effect.asVoid(writes.flush),
    })
  }),
).pipe(Layer.provide(ViewWrites.layer), Layer.provide(Merged.layer), Layer.provide(NewViews.layer))

export const ways = ["through", "behind", "merged"] as const
export type Way = (typeof ways)[number]

export const layers = { through, behind, merged } as const
