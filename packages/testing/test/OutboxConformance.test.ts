/** The kit for stores of outboxes: memory passes it, and stores that break one rule do not. */
import { OutboxRow, OutboxStore } from "@larder/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { expect, it } from "vitest"
import * as OutboxConformance from "../src/OutboxConformance.ts"

OutboxConformance.suite({ name: "OutboxStore.layerMemory", layer: OutboxStore.layerMemory })

type Store = OutboxStore.Store

const withStore = (
  change: (store: Store, options: OutboxStore.OpenOptions) => Partial<Store>,
): Layer.Layer<OutboxStore.OutboxStore> =>
  Layer.effect(
    OutboxStore.OutboxStore,
    Effect.gen(function* () {
      const built = yield* Layer.build(Layer.fresh(OutboxStore.layerMemory))
      const store = Context.get(built, OutboxStore.OutboxStore)
      return OutboxStore.OutboxStore.of({
        ...store,
        open: (options) =>
          Effect.map(store.open(options), (real) => ({ ...real, ...change(real, options) })),
      })
    }),
  )

/** Offers with other versions. */
const withVersion = (version: (offer: OutboxRow.Offer, count: number) => number) =>
  withStore((store) => {
    let count = 0
    return {
      offer: (offers) =>
        store.offer(offers.map((offer) => ({ ...offer, version: version(offer, ++count) }))),
    }
  })

const mutants: Readonly<Record<string, Layer.Layer<OutboxStore.OutboxStore>>> = {
  "ignores the token: what came last is newest": withVersion((_, count) => count),
  "claims without a lock": withStore((store) => ({
    claim: (request) => store.claim({ ...request, lockMillis: 0 }),
  })),
  "puts a failed write back behind the newer one": withStore((store) => {
    const back = new Map<string, OutboxRow.Offer>()
    const offerAgain = Effect.gen(function* () {
      const rows = yield* store.rows([...back.keys()])
      const free = [...back.values()].filter(({ key }) => !rows.has(key))
      for (const { key } of free) back.delete(key)
      yield* store.offer(free)
    })
    return {
      claim: (request) => Effect.andThen(offerAgain, store.claim(request)),
      retry: (claims, delayMillis) =>
        Effect.gen(function* () {
          const rows = yield* store.rows(claims.map(({ key }) => key))
          const isBehind = ({ key }: OutboxStore.Claimed) => rows.get(key)?.waiting !== undefined
          for (const { key, payload, version } of claims.filter(isBehind)) {
            back.set(key, { key, version, payload, merged: [] })
          }
          yield* store.done(claims.filter(isBehind))
          yield* store.retry(
            claims.filter((claim) => !isBehind(claim)),
            delayMillis,
          )
        }),
    }
  }),
  "drops a failed write for the newer one although it merges": withStore((store, { merges }) => ({
    retry: (claims, delayMillis) =>
      Effect.gen(function* () {
        const rows = yield* store.rows(claims.map(({ key }) => key))
        const isBehind = ({ key }: OutboxStore.Claimed) => rows.get(key)?.waiting !== undefined
        yield* store.done(merges ? claims.filter(isBehind) : [])
        yield* store.retry(claims, delayMillis)
      }),
  })),
  "forgets the rest of a failed write": withStore((store) => ({
    retry: (claims) => store.retry(claims, 0),
  })),
  "acknowledges the newer write with the older one": withStore((store) => {
    const all = new Map<string, OutboxStore.Claimed>()
    return {
      claim: (request) =>
        Effect.tap(store.claim(request), ({ writes }) =>
          Effect.sync(() => {
            for (const write of writes) all.set(write.key, write)
          }),
        ),
      done: (claims) => store.done(claims.map(({ key }) => all.get(key)!)),
    }
  }),
  "renews what it has lost": withStore((store) => ({
    renew: (claims, lockMillis) => Effect.as(store.renew(claims, lockMillis), claims.length),
  })),
  "renews nothing": withStore((_) => ({ renew: (claims) => Effect.succeed(claims.length) })),
  "has no bound": withStore((store, options) => ({
    offer: (offers) =>
      Effect.map(store.offer(offers), (answers) =>
        options.maxPending > 1 ? answers.map(() => ({ _tag: "Accepted" }) as const) : answers,
      ),
  })),
  "gives the newest first": withStore((store) => ({
    claim: (request) =>
      Effect.map(store.claim(request), ({ writes, nextMillis }) => ({
        writes: writes.toReversed(),
        nextMillis,
      })),
  })),
  "claims at once": withStore((store) => ({
    claim: (request) => store.claim({ ...request, minCount: 1, minAgeMillis: 0 }),
  })),
  "never says when to ask again": withStore((store) => ({
    claim: (request) =>
      Effect.map(store.claim(request), ({ writes }) => ({ writes, nextMillis: undefined })),
  })),
  "buries without a reason": withStore((store) => ({
    bury: (claim, burial) => store.bury(claim, { ...burial, why: "" }),
  })),
  "drops instead of burying": withStore((store) => ({
    bury: (claim) => Effect.as(store.done([claim]), true),
  })),
  "takes an empty dead letter for a removal": withStore((store) => ({
    dead: (after, max) =>
      Effect.map(store.dead(after, max), (all) =>
        all.map((one) => ({ ...one, payload: one.payload || undefined })),
      ),
  })),
  "revives nothing": withStore((_) => ({ revive: () => Effect.succeed(false) })),
  "discards nothing": withStore((store) => ({
    discard: (key) => Effect.map(store.rows([key]), (rows) => rows.get(key)?.dead !== undefined),
  })),
  "tells nobody": withStore((_) => ({ listen: () => Effect.void })),
  "takes a removal for an empty value": withStore((store) => ({
    offer: (offers) =>
      store.offer(offers.map((offer) => ({ ...offer, payload: offer.payload ?? "" }))),
  })),
  "takes any write for merged": withStore((store, { merges }) => ({
    offer: (offers) =>
      Effect.flatMap(store.rows(offers.map(({ key }) => key)), (rows) =>
        store.offer(
          offers.map((offer) => {
            const { dead, waiting } = rows.get(offer.key) ?? OutboxRow.empty
            const older = [dead, waiting].filter((write) => write !== undefined)
            const merged = merges ? older.map(({ version }) => version) : []
            return { ...offer, merged }
          }),
        ),
      ),
  })),
  "gives way although it merges": Layer.effect(
    OutboxStore.OutboxStore,
    Effect.gen(function* () {
      const built = yield* Layer.build(Layer.fresh(OutboxStore.layerMemory))
      const store = Context.get(built, OutboxStore.OutboxStore)
      return OutboxStore.OutboxStore.of({
        ...store,
        open: (options) =>
          Effect.gen(function* () {
            const real = yield* store.open(options)
            const other = yield* store.open({ ...options, merges: false })
            return { ...real, claim: other.claim }
          }),
      })
    }),
  ),
  "counts nothing in flight": withStore((store) => ({
    depth: Effect.map(store.depth, (depth) => ({ ...depth, inFlight: 0 })),
  })),
  "is as old as its last write": withStore((store) => ({
    depth: Effect.map(store.depth, (depth) => ({ ...depth, oldestMillis: 0 })),
  })),
}

it.each(Object.entries(mutants))("a store that %s fails the kit", async (_, layer) => {
  const passes = (check: OutboxConformance.Check) =>
    Effect.flatMap(OutboxConformance.subject({ name: "a mutant", layer }), check.run).pipe(
      Effect.scoped,
      Effect.provide(TestClock.layer()),
      Effect.exit,
      Effect.map(Exit.isSuccess),
    )
  const failed = Effect.filter(OutboxConformance.checks, (check) =>
    Effect.map(passes(check), (isPassed) => !isPassed),
  )
  const names = (await Effect.runPromise(failed)).map(({ name }) => name)
  expect(names).not.toEqual([])
  expect(names.length).toBeLessThan(OutboxConformance.checks.length)
})
