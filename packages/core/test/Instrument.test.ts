import { describe, expect, it } from "@effect/vitest"
import {
  Instrument,
  InvalidOptions,
  Larder,
  MemoryTier,
  Policy,
  TierStack,
  Upstream,
} from "@larder/core"
import { Cause, Effect, Exit, Layer } from "effect"
import { TestClock } from "effect/testing"
import { Outside } from "./support/outside.ts"

/** Notes what an instrument is told, in one order. */
const recorder = () => {
  const seen: Array<string> = []
  const instrument: Instrument.Instrument = {
    event: (event) => seen.push("key" in event ? `${event._tag} ${event.key}` : event._tag),
    decision: ({ action, key, situation }) =>
      seen.push(`${situation.trigger} ${key}: ${action._tag}`),
  }
  return { seen, instrument }
}

const lengths = Larder.make({
  name: "lengths",
  upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }),
  policy: Policy.make({ freshFor: "1 minute", staleWhileRevalidate: "1 minute" }),
})

const watched = <A, E>(
  instrument: Instrument.Instrument,
  body: (larder: Larder.Larder<string, number>) => Effect.Effect<A, E>,
) =>
  Effect.flatMap(lengths, body).pipe(
    Effect.provide(TierStack.layer(MemoryTier.layer())),
    Effect.provideService(Instrument.Instrument, instrument),
    Effect.scoped,
  )

describe("an instrument", () => {
  it.effect("sees each event and each decision, in the step of the call", () => {
    const { instrument, seen } = recorder()
    return watched(instrument, (larder) =>
      Effect.gen(function* () {
        yield* larder.get("milk")
        expect(seen).toEqual([
          "Opened",
          "arrived milk: Begin",
          "Miss milk",
          "LookupStarted milk",
          "LookupSucceeded milk",
          "Committed milk",
          "succeeded milk: ServeResult",
          "Answered milk",
        ])
        seen.length = 0
        yield* larder.get("milk")
        expect(seen).toEqual(["Hit milk"])
        seen.length = 0
        yield* TestClock.adjust("90 seconds")
        yield* larder.get("milk")
        expect(seen).toEqual(["arrived milk: ServeStale", "StaleServed milk"])
      }),
    )
  })

  it.effect("sees events while subscribers come and go", () => {
    const { instrument, seen } = recorder()
    return watched(instrument, (larder) =>
      Effect.gen(function* () {
        yield* larder.get("milk")
        yield* Effect.scoped(larder.subscribe)
        seen.length = 0
        yield* larder.get("milk")
        expect(seen).toEqual(["Hit milk"])
      }),
    )
  })

  it.effect(
    "puts another larder in the place of one that is made, and knows its tiers and keys",
    () => {
      const known: Array<unknown> = []
      const wrap: Instrument.Instrument["wrap"] = (larder, { keyOf, tiers }) => {
        known.push(...tiers.map(({ name }) => name), keyOf("milk"), keyOf(1), keyOf({}))
        return { ...larder, name: `watched ${larder.name}` }
      }
      return watched({ wrap }, (larder) =>
        Effect.sync(() => {
          expect(larder.name).toBe("watched lengths")
          expect(known).toEqual(["memory", "milk", "#1", undefined])
        }),
      )
    },
  )

  it.effect("sees nothing of larders that are made beside it", () => {
    const { instrument, seen } = recorder()
    const beside = Layer.succeed(Instrument.Instrument, instrument)
    return Effect.gen(function* () {
      const larder = yield* lengths
      yield* Effect.provide(larder.get("milk"), beside)
      expect(seen).toEqual([])
    }).pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer())))
  })
})

describe("the options of a service", () => {
  const upstream = Upstream.make({ lookup: (id: { readonly n: number }) => Effect.succeed(id.n) })
  const options = {
    upstream,
    policy: Policy.make({ freshFor: "1 minute" }),
    key: ({ n }: { readonly n: number }) => `n${n}`,
    tags: (value: number) => [`t${value}`],
  }
  class Plain extends Larder.Service<Plain>()("app/Plain", options) {}
  class Effectful extends Larder.Service<Effectful>()("app/Effectful", Effect.succeed(options)) {}

  it("are there where they are plain, with the id as the name", () => {
    expect(Plain.options?.name).toBe("app/Plain")
    expect(Plain.options?.key?.({ n: 1 })).toBe("n1")
    expect(Plain.options?.tags?.(2, { n: 1 })).toEqual(["t2"])
  })

  it("are absent where an effect returns them", () => {
    expect(Effectful.options).toBeUndefined()
  })
})

describe("an instrument that throws", () => {
  it.effect("disturbs no call, and is a warning without what it said", () =>
    Effect.gen(function* () {
      const outside = new Outside()
      const broken = (): never => {
        throw new Error("broken at milk")
      }
      const values = yield* watched({ event: broken, decision: broken }, (larder) =>
        Effect.gen(function* () {
          const first = yield* larder.get("milk")
          const second = yield* larder.get("milk")
          yield* larder.set("milk", 7)
          return [first, second, yield* larder.get("milk"), (yield* larder.stats).answers]
        }),
      ).pipe(outside.around)
      expect(values).toEqual([
        4,
        4,
        7,
        {
          memory: { fresh: 2, stale: 0, failed: 0 },
          upstream: { fresh: 1, stale: 0, failed: 0 },
          none: { fresh: 0, stale: 0, failed: 0 },
        },
      ])
      const warnings = outside.lines.filter(({ level }) => level === "Warn")
      expect(warnings.length).toBeGreaterThan(0)
      for (const { text } of warnings) expect(text).not.toContain("broken")
    }),
  )
})

it.effect.each([
  [5, "Instrument: options must be an object with event, hits, decision, isKilled and wrap, got 5"],
  [
    null,
    "Instrument: options must be an object with event, hits, decision, isKilled and wrap, got null",
  ],
  [{ events: () => {} }, "Instrument: events is an unknown option; did you mean `event`?"],
  [{ event: 5 }, "Instrument: event must be a function, or be left out, got 5"],
  [{ decision: "x" }, 'Instrument: decision must be a function, or be left out, got "x"'],
  [{ wrap: {} }, "Instrument: wrap must be a function, or be left out, got an object"],
  [{ hits: "some" }, 'Instrument: hits must be "all", "sampled" or "none", got "some"'],
] as const)("refuses %j with the remedy", ([instrument, message]) =>
  Effect.gen(function* () {
    // A caller without types.
    const wrong = instrument as unknown as Instrument.Instrument
    const exit = yield* Effect.exit(watched(wrong, () => Effect.void))
    const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    expect(defect).toBeInstanceOf(InvalidOptions)
    expect((defect as InvalidOptions).message).toBe(message)
  }),
)
