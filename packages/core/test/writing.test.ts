/** Laws 23 and 25: changes of the source by `around`, `through` and `update`, against each other and readers. */
import { expect, it } from "@effect/vitest"
import type { Larder } from "@larder/core"
import { Clock, Data, Effect, Exit, Option } from "effect"
import { TestClock } from "effect/testing"
import { describe } from "vitest"
import { type Draw, drawing, seed } from "./support/seeded.ts"
import { lardersOf, napping, passing, Source } from "./support/sourceWorld.ts"

class Refused extends Data.TaggedError("Refused") {}

const key = "milk"
type Products = Larder.Larder<string, number>

interface World {
  readonly source: Source
  readonly larders: ReadonlyArray<Products>
  readonly nap: (most: number) => Effect.Effect<void>
  readonly draw: Draw
  /** This writer has made the write of this number. */
  readonly written: (writes: number) => void
}

const save = ({ nap, source, written }: World, value: number) =>
  Effect.gen(function* () {
    yield* nap(3)
    source.write(value)
    written(source.writes)
    yield* nap(3)
  })

/** A writer: ends, fails or is interrupted before or after it has changed the source. */
type Writer = (world: World, larder: Products) => Effect.Effect<unknown, unknown>

const writers: Readonly<Record<string, Writer>> = {
  around: (world, larder) => save(world, world.source.next()).pipe(larder.around(key)),
  "around, expired before": (world, larder) =>
    save(world, world.source.next()).pipe(larder.around(key, { before: "expire" })),
  through: (world, larder) => {
    const value = world.source.next()
    return Effect.as(save(world, value), value).pipe(larder.through(key))
  },
  "through that fails": (world, larder) =>
    Effect.suspend(() =>
      world.draw(2) === 0 ? Effect.void : save(world, world.source.next()),
    ).pipe(Effect.andThen(Effect.fail(new Refused())), larder.through(key)),
  "around that fails": (world, larder) =>
    Effect.suspend(() =>
      world.draw(2) === 0 ? Effect.void : save(world, world.source.next()),
    ).pipe(Effect.andThen(Effect.fail(new Refused())), larder.around({ keys: [key] })),
  "through that is interrupted": (world, larder) => {
    const value = world.source.next()
    return Effect.as(save(world, value), value).pipe(
      larder.through(key),
      Effect.timeoutOption(world.draw(7)),
    )
  },
  update: (world, larder) =>
    larder.update(key, () => {
      const value = world.source.next()
      return Effect.as(save(world, value), Option.some(value))
    }),
  "update that is interrupted": (world, larder) =>
    larder
      .update(key, () => {
        const value = world.source.next()
        return Effect.as(save(world, value), Option.some(value))
      })
      .pipe(Effect.timeoutOption(world.draw(12))),
}

/**
 * Plays writers and readers of one round. A value that a reader gets must be one that the source got
 * from the last write or later when the last writer had ended and none was under way, and one that no
 * writer that has ended has replaced: what an unfinished writer has done, its own end tells the cache.
 */
const round = (
  nodes: number,
  roundSeed: number,
  kinds: ReadonlyArray<string>,
  all: Readonly<Record<string, Writer>> = writers,
) =>
  Effect.gen(function* () {
    const draw = drawing(roundSeed)
    const source = new Source()
    const nap = napping(draw)
    const lookup = () =>
      Effect.gen(function* () {
        yield* nap(3)
        const { value } = source
        yield* nap(3)
        return value
      })
    const larders = yield* lardersOf(nodes, lookup)
    const of = () => larders[draw(larders.length)]!
    let underWay = 0
    /** What is fresh is of this write of the source, or a later one. */
    let floor = 0
    let floorSince = -1
    const wrong: Array<string> = []
    const writer = Effect.gen(function* () {
      const kind = kinds[draw(kinds.length)]!
      const larder = of()
      yield* nap(6)
      underWay += 1
      let own = 0
      const written = (writes: number) => {
        own = writes
      }
      yield* Effect.exit(all[kind]!({ source, larders, nap, draw, written }, larder))
      underWay -= 1
      const raised = underWay === 0 ? source.writes : own
      if (raised <= floor) return
      floor = raised
      floorSince = yield* Clock.currentTimeMillis
    })
    const reader = Effect.gen(function* () {
      const larder = of()
      for (let i = 0; i < 6; i++) {
        yield* nap(4)
        // The message of a change reaches the other node in the next turn.
        const least = floorSince < (yield* Clock.currentTimeMillis) ? floor : 0
        const given = yield* larder.get(key)
        if (!source.isSince(given, least)) wrong.push(`${given}, older than write ${least}`)
      }
    })
    yield* passing(
      Effect.all([writer, writer, writer, reader, reader, reader], { concurrency: "unbounded" }),
    )
    yield* TestClock.adjust(20)
    for (const larder of larders) {
      const { entry, freshness } = yield* larder.read(key)
      if (freshness._tag === "Fresh" && entry?.value !== source.value) {
        wrong.push(`at the end ${entry?.value}, the source has ${source.value}`)
      }
    }
    return wrong
  }).pipe(Effect.scoped)

const rounds = Number(process.env["LARDER_RUNS"] ?? 60)

const property = (title: string, nodes: number, kinds: ReadonlyArray<string>) =>
  it.effect(`${title}: on ${nodes} node${nodes === 1 ? "" : "s"}`, () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      for (let i = 0; i < rounds; i++) {
        const wrong = yield* round(nodes, seed + i, kinds)
        expect(wrong, `LARDER_SEED=${seed + i}`).toEqual([])
      }
    }),
  )

const kinds = Object.keys(writers)

describe("law 23: no value stays fresh that the source no longer had when a write of it ended", () => {
  for (const nodes of [1, 2]) {
    property("around", nodes, ["around"])
    property("through", nodes, ["through"])
    property("update", nodes, ["update"])
    property("all, some failing or interrupted", nodes, kinds)
  }

  it.effect("a `set` after the save does not hold to it", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const naive: Writer = (world, larder) => {
        const value = world.source.next()
        return Effect.andThen(save(world, value), larder.set(key, value))
      }
      const wrong = yield* Effect.forEach(Array.from({ length: 100 }), (_, i) =>
        round(2, i, ["naive"], { naive }),
      )
      expect(wrong.filter((one) => one.length > 0).length).toBeGreaterThan(10)
    }),
  )
})

describe("law 25: an update loses no change and applies none twice", () => {
  for (const nodes of [1, 2, 3]) {
    it.effect(`of many on ${nodes} node${nodes === 1 ? "" : "s"}, some interrupted`, () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(1_790_000_000_000)
        for (let i = 0; i < rounds / 5; i++) {
          const draw = drawing(seed + i)
          const larders = yield* lardersOf(nodes, () => Effect.succeed(0))
          const nap = napping(draw)
          yield* larders[0]!.set(key, 0)
          let done = 0
          const add = Effect.gen(function* () {
            const larder = larders[draw(nodes)]!
            yield* nap(5)
            const exit = yield* Effect.exit(
              larder
                .update(key, (current) =>
                  Effect.as(
                    nap(2),
                    Option.map(current, (n) => n + 1),
                  ),
                )
                .pipe(Effect.timeoutOption(draw(3) === 0 ? draw(6) : 1_000_000)),
            )
            if (Exit.isSuccess(exit) && Option.isSome(exit.value)) done += 1
            else if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
            else interrupted += 1
          })
          let interrupted = 0
          yield* passing(
            Effect.all(
              Array.from({ length: 12 }, () => add),
              { concurrency: "unbounded" },
            ),
          )
          yield* TestClock.adjust(20)
          const { entry, freshness } = yield* larders[0]!.read(key)
          // An interrupted update may have stored its value, or has expired the key: its function has run.
          if (interrupted === 0) expect(entry?.value, `LARDER_SEED=${seed + i}`).toBe(done)
          else if (freshness._tag === "Fresh") {
            expect(entry!.value, `LARDER_SEED=${seed + i}`).toBeLessThanOrEqual(done + interrupted)
          }
        }
      }).pipe(Effect.scoped),
    )
  }
})
