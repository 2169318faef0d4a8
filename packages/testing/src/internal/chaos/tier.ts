/** A byte tier with faults. */
import { Tier } from "@larder/core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { TierFaults } from "./faults.ts"
import type { ChaosHandle } from "./handle.ts"

type Group = Exclude<TierFaults["operations"], "all" | undefined>

const groups: Readonly<Record<string, Group>> = {
  read: "reads",
  marks: "reads",
  versions: "reads",
  acquire: "leases",
  acquireAll: "leases",
  renew: "leases",
  release: "leases",
}

/** The tiers that are wrapped: of each, the tier inside. */
const inside = new WeakMap<object, Tier.ByteTier>()

/** The tier without its faults. */
export const withoutChaos = <T extends Tier.ByteTier | Tier.ObjectTier>(
  tier: T,
): T | Tier.ByteTier => inside.get(tier) ?? tier

/** Tells that `outer` is another way to the same tier. */
export const sameAs = (outer: Tier.ByteTier, tier: Tier.ByteTier): void => {
  inside.set(outer, inside.get(tier) ?? tier)
}

/** Tiers whose messages have their faults on the way, with heartbeats. */
export const networked = new WeakSet<object>()

interface Way {
  readonly chaos: ChaosHandle
  /** The place in the handle. */
  readonly place: string
  readonly tier: Tier.ByteTier
}

/** One operation, with the faults that are on when it begins. */
const around =
  ({ chaos, place, tier }: Way) =>
  <A>(
    operation: string,
    keys: ReadonlyArray<string> | undefined,
    effect: Effect.Effect<A, Tier.TierError>,
    damage: (answer: A) => A = (answer) => answer,
  ): Effect.Effect<A, Tier.TierError> =>
    Effect.suspend(() => {
      const faults = chaos.of("tier", place)
      const { keys: only, operations = "all" } = faults
      const isHit =
        (operations === "all" || operations === (groups[operation] ?? "writes")) &&
        (only === undefined || (keys?.some((key) => only.includes(key)) ?? false))
      if (!isHit) return effect
      const fail = (text: string) =>
        Effect.fail(new Tier.TierError({ tier: tier.name, operation, cause: new Error(text) }))
      const slowly = <B, E>(then: Effect.Effect<B, E>) =>
        Effect.andThen(chaos.pause(faults.latency), then)
      if (chaos.happens(faults.hang)) return Effect.never
      if (chaos.happens(faults.failure)) return slowly(fail("Chaos: failure"))
      const done = Effect.map(effect, damage)
      return slowly(
        chaos.happens(faults.lostAnswer)
          ? Effect.andThen(done, fail("Chaos: the answer is lost"))
          : done,
      )
    })

const sparse = <A>(
  { chaos, place }: Way,
  answers: ReadonlyArray<A | undefined>,
): ReadonlyArray<A | undefined> => {
  const { partial } = chaos.of("tier", place)
  return answers.map((answer) => (chaos.happens(partial) ? undefined : answer))
}

/** What was read, with some keys missing and some bytes damaged. */
const misread = (
  way: Way,
  found: ReadonlyArray<Uint8Array | undefined>,
): ReadonlyArray<Uint8Array | undefined> => {
  const { chaos, place } = way
  const { corrupt } = chaos.of("tier", place)
  return sparse(way, found).map((bytes) =>
    bytes !== undefined && chaos.happens(corrupt) ? chaos.damaged(bytes) : bytes,
  )
}

const arbiterWith = (way: Way, arbiter: Tier.Arbiter, larder: string): Tier.Arbiter => {
  const { acquireAll, commitAll, listen, versions } = arbiter
  const hit = around(way)
  return {
    acquire: (key, request) =>
      hit("acquire", [key], arbiter.acquire(key, request), (acquired) =>
        acquired._tag === "Newer"
          ? { ...acquired, envelope: misread(way, [acquired.envelope])[0] ?? acquired.envelope }
          : acquired,
      ),
    renew: (key, ...rest) => hit("renew", [key], arbiter.renew(key, ...rest)),
    release: (key, ...rest) => hit("release", [key], arbiter.release(key, ...rest)),
    commit: (key, ...rest) => hit("commit", [key], arbiter.commit(key, ...rest)),
    acquireAll:
      acquireAll &&
      ((requests) =>
        hit("acquireAll", requests.map(keyOf), acquireAll(requests), (all) => sparse(way, all))),
    commitAll:
      commitAll &&
      ((commits) =>
        hit("commitAll", commits.map(keyOf), commitAll(commits), (all) => sparse(way, all))),
    write: (key, ...rest) => hit("write", [key], arbiter.write(key, ...rest)),
    mark: (...args) => hit("mark", undefined, arbiter.mark(...args)),
    marks: (since) => hit("marks", undefined, arbiter.marks(since)),
    versions: versions && ((keys) => hit("versions", keys, versions(keys))),
    listen: listen && ((receive) => listening(way, larder, listen, receive)),
  }
}

const keyOf = ({ key }: { readonly key: string }): string => key

type Listen = NonNullable<Tier.Arbiter["listen"]>

/** A subscription whose messages have faults; reports of gaps come from this side and have none. */
const listening = (
  { chaos, place, tier }: Way,
  larder: string,
  listen: Listen,
  receive: (message: Tier.Message) => void,
): ReturnType<Listen> =>
  Effect.gen(function* () {
    chaos.subscribes(larder, place)
    if (networked.has(tier)) return yield* listen(receive)
    const scope = yield* Effect.scope
    const run = Effect.runForkWith(yield* Effect.context<never>())
    yield* listen((message) => {
      if (message._tag === "Gap") return receive(message)
      for (const millis of chaos.delays(chaos.of("messages", place))) {
        const arrive = Effect.sync(() => receive(message))
        if (millis > 0) Fiber.runIn(run(Effect.delay(arrive, Duration.millis(millis))), scope)
        else receive(message)
      }
    })
  })

const storeWith = (way: Way, store: Tier.ByteStore, larder: string): Tier.ByteStore => {
  const hit = around(way)
  return {
    ...store,
    read: (keys) => hit("read", keys, store.read(keys), (found) => misread(way, found)),
    put: (key, ...rest) => hit("put", [key], store.put(key, ...rest)),
    drop: (key, ...rest) => hit("drop", [key], store.drop(key, ...rest)),
    arbiter: store.arbiter && arbiterWith(way, store.arbiter, larder),
  }
}

export const tierWith = (way: Way): Tier.ByteTier => {
  const { tier } = way
  const wrapped: Tier.ByteTier = {
    ...tier,
    open: (options) =>
      Effect.map(tier.open(options), (store) => storeWith(way, store, options.larder)),
  }
  sameAs(wrapped, tier)
  return wrapped
}
