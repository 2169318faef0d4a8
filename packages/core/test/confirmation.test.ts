/** How long a node serves an entry as fresh that the arbiter has confirmed, while another node changes it. */
import { expect } from "@effect/vitest"
import { type Larder, MemoryTier, TierStack } from "@larder/core"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer } from "./support/faultyTier.ts"
import { make, source, start, test, tiers } from "./support/nodes.ts"

type Node = Larder.Larder<string, number, string>

const changes: Readonly<Record<string, (node: Node) => Effect.Effect<Larder.Ack, unknown>>> = {
  set: (node) => node.set("k", 2),
  remove: (node) => node.remove("k"),
  expire: (node) => node.expire("k"),
  "a tag": (node) => node.invalidateTags(["t"]),
  "a tag that drops": (node) => node.invalidateTags(["t"], { keepStale: false }),
  clear: (node) => node.clear(),
}

const maxFreshFor = 300

const stacks = {
  "memory and shared": false,
  "memory, a file and shared": true,
}

const nodes = (withFile: boolean) =>
  Effect.gen(function* () {
    const { faults, shared } = yield* tiers
    const memory = () => MemoryTier.layer({ maxFreshFor })
    const stack = () =>
      withFile
        ? TierStack.layer(memory(), fileLayer(new Faults()), shared)
        : TierStack.layer(memory(), shared)
    const from = source(Effect.succeed(1))
    const options = { tags: () => ["t"], policy: { freshFor: "1 hour" } } as const
    const a = yield* make(from, stack(), options)
    const b = yield* make(from, stack(), options)
    return { a, b, from, faults }
  })

/** Whether the node gives 1 as fresh, without asking anybody that it would not ask for a `get`. */
const givesOld = (node: Node) =>
  Effect.map(
    node.getWithMeta("k"),
    ({ freshness, value }) => value === 1 && freshness._tag === "Fresh",
  )

for (const [title, withFile] of Object.entries(stacks)) {
  for (const [name, change] of Object.entries(changes)) {
    test(
      `laws 1, 18: over ${title}, what ${name} of another node changed is fresh for no longer than maxFreshFor`,
      Effect.gen(function* () {
        const { a, b, from } = yield* nodes(withFile)
        yield* a.get("k")
        for (let i = 0; i < 47; i++) {
          expect(yield* givesOld(b)).toBe(true)
          yield* TestClock.adjust(20)
        }
        expect((yield* change(a)).settled).toBe(true)
        from.answer = () => Effect.succeed(3)
        let millis = 0
        while (millis < 2_000 && (yield* givesOld(b))) {
          yield* TestClock.adjust(20)
          millis += 20
        }
        expect(millis).toBeLessThanOrEqual(maxFreshFor)
      }),
    )
  }
}

test(
  "law 14: while the arbiter does not answer, marks are waited for in front of it no more than once in a while",
  Effect.gen(function* () {
    const { b, faults } = yield* nodes(true)
    yield* b.get("k")
    faults.shared.turn("hang", "all")
    yield* TestClock.adjust(200)
    let waited = 0
    // Memory takes the value for fresh no more; the file has it, and its confirmation is too old.
    for (let i = 0; i < 5; i++) {
      const asked = yield* Effect.forkChild(b.read("k"), { startImmediately: true })
      while (asked.pollUnsafe() === undefined) {
        yield* TestClock.adjust(10)
        waited += 10
      }
    }
    expect(waited).toBeLessThanOrEqual(1_000)
  }),
)

test(
  "law 19: marks that are older than markMaxAge are read before a file in front of the arbiter is believed",
  Effect.gen(function* () {
    yield* start
    const { faults, shared } = yield* tiers
    const from = source(Effect.succeed(1))
    const options = { tags: () => ["t"], policy: { freshFor: "1 hour" } } as const
    const a = yield* make(from, TierStack.layer(MemoryTier.layer(), shared), options)
    // Nothing is kept in memory: every read is answered by the file.
    const b = yield* make(from, TierStack.layer(fileLayer(new Faults()), shared), options)
    yield* b.get("k")
    yield* b.get("k")
    faults.shared.trips.length = 0
    expect(yield* b.getWithMeta("k")).toMatchObject({ tier: "file", value: 1 })
    expect(faults.shared.trips).toEqual([])
    yield* a.invalidateTags(["t"])
    from.answer = () => Effect.succeed(2)
    yield* TestClock.adjust("5 seconds")
    expect(yield* b.get("k")).toBe(2)
  }),
)
