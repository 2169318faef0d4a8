import type { Larder } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { assert } from "vitest"
import { until } from "./clients.ts"

type Node = Larder.Larder<string, string, string>
type Change = (larder: Node) => Effect.Effect<Larder.Ack, Larder.InvalidKey>

export interface TruthOptions {
  /** The duration of one lookup, in ms. */
  readonly lookupMillis: number
  /** Characters of a value beyond its number. Default 0. */
  readonly padding?: number | undefined
}

const numberOf = (value: string): number => Number.parseInt(value, 10)

/**
 * A source whose values are numbers that only grow, and a judge of the values that a
 * node may still return: none older than a change, on the node that made the change,
 * and, once the change is settled, on a node that asks Redis for the first time.
 */
export const truth = Effect.fnUntraced(function* (options: TruthOptions) {
  const { lookupMillis, padding = 0 } = options
  const valueOf = (number: number) => `${number}${".".repeat(padding)}`
  const numbers = new Map<string, number>()
  const everywhere = new Map<string, number>()
  const onNode = new Map<Node, Map<string, number>>()
  // Changes run one after the other: of two concurrent changes neither is older.
  const turns = yield* Semaphore.make(1)
  let settled = 0
  let reads = 0

  /** The least value for a node that has made no change. */
  const least = (larder: Node, key: string): number =>
    (onNode.get(larder) ?? everywhere).get(key) ?? 0

  /** Registers a node that makes changes; it need not know the changes of other nodes at once. */
  const join = (larder: Node) => Effect.sync(() => onNode.set(larder, new Map()))

  const lookup = (key: string) =>
    Effect.suspend(() => Effect.delay(Effect.succeed(valueOf(numbers.get(key) ?? 0)), lookupMillis))

  /** The source changes, then the larder is told. */
  const change = (
    larder: Node,
    keys: ReadonlyArray<string>,
    tell: (value: string) => Change,
  ): Effect.Effect<Larder.Ack, Larder.InvalidKey> =>
    turns.withPermit(
      Effect.gen(function* () {
        const number = Math.max(0, ...numbers.values()) + 1
        for (const key of keys) numbers.set(key, number)
        const ack = yield* tell(valueOf(number))(larder)
        const own = onNode.get(larder)
        for (const key of keys) {
          own?.set(key, number)
          if (ack.settled) everywhere.set(key, number)
        }
        if (ack.settled) settled += 1
        return ack
        // An interrupted change would stay without a result for ever.
      }).pipe(Effect.uninterruptible),
    )

  /** A read that must be fresh, and must be right. */
  const get = (larder: Node, key: string) =>
    Effect.gen(function* () {
      const known = least(larder, key)
      const { freshness, tier, value } = yield* larder.getWithMeta(key)
      assert.strictEqual(freshness._tag, "Fresh")
      assert.isAtLeast(numberOf(value), known, `${key} from ${tier}`)
      reads += 1
      return numberOf(value)
    })

  return {
    lookup,
    join,
    change,
    get,
    current: (key: string) => numbers.get(key) ?? 0,
    get settled() {
      return settled
    },
    get reads() {
      return reads
    },
  }
})

export type Truth = Effect.Success<ReturnType<typeof truth>>

export const keys: ReadonlyArray<string> = Array.from({ length: 10 }, (_, i) => String(i))
const even = keys.filter((key) => Number(key) % 2 === 0)

/** The tags by which a storm invalidates. */
export const tags = (_: string, key: string): ReadonlyArray<string> => [
  Number(key) % 2 === 0 ? "even" : "odd",
]

const changes = {
  tag: (world: Truth, larder: Node) =>
    world.change(larder, even, () => (node) => node.invalidateTags(["even"])),
  set: (world: Truth, larder: Node, key: string) =>
    world.change(larder, [key], (value) => (node) => node.set(key, value)),
  remove: (world: Truth, larder: Node, key: string) =>
    world.change(larder, [key], () => (node) => node.remove(key)),
  drop: (world: Truth, larder: Node) =>
    world.change(larder, even, () => (node) => node.invalidateTags(["even"], { keepStale: false })),
  expire: (world: Truth, larder: Node, key: string) =>
    world.change(larder, [key], () => (node) => node.expire(key)),
}

type Kind = keyof typeof changes
const kinds: ReadonlyArray<Kind> = ["tag", "set", "remove", "drop", "expire"]

interface Storm<E, R> {
  readonly world: Truth
  /** A node that knows nothing, in a scope. */
  readonly newcomer: Effect.Effect<Node, E, R>
  readonly nodes: ReadonlyArray<Node>
  /** Ends, and the storm with it. */
  readonly fault: Effect.Effect<unknown, unknown>
}

/**
 * While `fault` happens, nodes read all the time and change things, and newcomers
 * look at what they have left in Redis; in the end all is as the source has it.
 */
export const storm = <E, R>({ fault, newcomer, nodes, world }: Storm<E, R>) =>
  Effect.gen(function* () {
    const look = Effect.gen(function* () {
      const larder = yield* newcomer
      return yield* Effect.forEach(keys, (key) => world.get(larder, key), { concurrency: 10 })
    }).pipe(Effect.scoped)
    const reading = nodes.flatMap((each) =>
      keys.map((key) => Effect.forever(Effect.andThen(world.get(each, key), Effect.sleep(3)))),
    )
    const changing = nodes.map((each, i) => {
      let round = 0
      const next = Effect.suspend(() => {
        const key = keys[(7 * round + 4 * i) % keys.length]!
        const change = changes[kinds[round++ % kinds.length]!]
        return Effect.andThen(change(world, each, key), Effect.sleep(10))
      })
      return Effect.forever(next)
    })
    yield* Effect.forEach(nodes, world.join)
    yield* Effect.raceFirst(
      fault,
      Effect.all([...reading, ...changing, Effect.forever(look)], { concurrency: "unbounded" }),
    )
    assert.isAbove(world.reads, 300)
    const right = keys.map(world.current)
    yield* until(look, (numbers) => numbers.every((number, i) => number === right[i]))
  })
