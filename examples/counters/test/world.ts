/** Nodes that count over one source and one shared tier, in virtual time. */
import { OutboxStore } from "@larder/core"
import { LarderTest } from "@larder/testing"
import { NodeSqliteClient } from "@larder/sqlite"
import { it } from "@effect/vitest"
import { Context, Effect, Layer, type Scope } from "effect"
import type { Counter } from "../src/counters.ts"
import * as Counts from "../src/counts.ts"

/** Whether the source takes writes. */
export class Source extends Context.Service<Source, { isDown: boolean }>()("test/Source") {}

/** Each statement takes a while, halfway to the source and halfway back. */
export const queryMillis = 10

const way = Effect.sleep(queryMillis / 2)

const slow = <A>(query: Effect.Effect<A, Counts.CountsDown>) =>
  Effect.flatMap(Source, (source) =>
    Effect.suspend(() =>
      source.isDown ? Effect.fail(new Counts.CountsDown({ cause: "down" })) : query,
    ),
  ).pipe((query) => Effect.andThen(way, Effect.tap(query, way)))

const counts = Layer.effect(
  Counts.Counts,
  Effect.gen(function* () {
    const inner = yield* Counts.Counts
    const source = yield* Source
    const behaving = <A>(query: Effect.Effect<A, Counts.CountsDown>) =>
      Effect.provideService(slow(query), Source, source)
    return Counts.Counts.of({
      ...inner,
      count: (page) => behaving(inner.count(page)),
      addOne: (page) => behaving(inner.addOne(page)),
      addAll: (writes) => behaving(inner.addAll(writes)),
      setAll: (writes) => behaving(inner.setAll(writes)),
    })
  }),
).pipe(
  Layer.provide(Counts.layer),
  Layer.provide(NodeSqliteClient.layer({ filename: ":memory:" })),
  Layer.orDie,
)

const services = (seed: number) =>
  Layer.mergeAll(counts, OutboxStore.layerMemory).pipe(
    Layer.provideMerge(Layer.sync(Source, () => ({ isDown: false }))),
    Layer.provideMerge(LarderTest.layerWith({ seed })),
  )

export type Services = Layer.Success<ReturnType<typeof services>>

export const test = (
  title: string,
  body: Effect.Effect<void, unknown, Services | Scope.Scope>,
  seed = 1,
) => {
  it.effect(title, () => body.pipe(Effect.scoped, Effect.provide(Layer.fresh(services(seed)))))
}

export type Node = LarderTest.Node<Counter, unknown>

/** Runs an effect on a node, and lets the time pass that it needs. */
export const on = <A, E, R>(node: Node, effect: Effect.Effect<A, E, R>) =>
  LarderTest.settle(node.run(effect))
