/**
 * The upstream of a larder, its source of truth: a lookup for one key, a bulk lookup for many, and
 * the guards around them (retries, circuit breaker, concurrency limit).
 *
 * An upstream describes its functions: `resolve` runs once for each larder, so that each larder has
 * its own breakers, permits and captured services, also when many larders use one upstream.
 *
 * The first guard of a pipe is the innermost. With `withRetry` before `withCircuitBreaker` the
 * breaker counts one outcome for all attempts. With `withRetry` after it, each attempt goes through
 * the breaker, and its rejections are retried as the schedule says.
 *
 * @module
 * @category cache
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as Pipeable from "effect/Pipeable"
import { hasProperty } from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import type { Entry } from "./Entry.ts"
import { abandonable } from "./internal/upstream/abandonable.ts"
import { Circuit, circuitOf, setCircuit } from "./internal/upstream/circuit.ts"
import * as Gate from "./internal/upstream/concurrencyLimiter.ts"
import { LiveDemand } from "./internal/upstream/liveDemand.ts"
import { millisOf } from "./internal/runtime/duration.ts"
import { isFrom } from "./internal/upstream/capturedServices.ts"
import {
  circuitFailures,
  circuitOpenMillis,
  circuitProbeMillis,
  circuitQueue,
} from "./internal/runtime/limits.ts"
import { inSteadyTime } from "./internal/runtime/steadyBreaker.ts"
import * as Reach from "./internal/upstream/reach.ts"
import { uniqueName } from "./internal/runtime/uniqueName.ts"
import { areOptions, type Names, type NamesOf } from "./internal/runtime/optionNames.ts"
import { InvalidOptions } from "./InvalidOptions.ts"

export { Shed } from "./internal/upstream/concurrencyLimiter.ts"

/**
 * The property that identifies an upstream: see {@link isUpstream}.
 *
 * **Example**
 *
 * ```ts
 * import { Upstream } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * assert.ok(Upstream.TypeId in Upstream.make({ lookup: (id: string) => Effect.succeed(id) }))
 * ```
 *
 * @category type IDs
 * @since 0.1.0
 */
export const TypeId = "~larder/Upstream"

/**
 * The answer of a conditional lookup whose previous value is still right: see {@link notModified}.
 *
 * @category models
 * @since 0.1.0
 */
export interface NotModified {
  readonly _tag: "~larder/NotModified"
}

/**
 * The answer of a conditional lookup whose previous value is still right. The entry becomes fresh
 * again, with its old value and tags.
 *
 * **Example** (A conditional lookup)
 *
 * ```ts
 * import { Upstream } from "@larder/core"
 * import { Effect } from "effect"
 *
 * const fetchIfChanged = (id: string, etag: string | undefined) =>
 *   Effect.succeed(etag === "v1" ? undefined : { id, etag: "v1" })
 *
 * export const products = Upstream.make({
 *   lookup: (id: string, previous) =>
 *     Effect.map(fetchIfChanged(id, previous?.etag), (product) => product ?? Upstream.notModified)
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const notModified: NotModified = Object.freeze({ _tag: "~larder/NotModified" })

/**
 * Whether a lookup answered {@link notModified}.
 *
 * **Example**
 *
 * ```ts
 * import { Upstream } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.ok(Upstream.isNotModified(Upstream.notModified))
 * assert.ok(!Upstream.isNotModified({ price: 3 }))
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isNotModified = (u: unknown): u is NotModified =>
  hasProperty(u, "_tag") && u._tag === notModified._tag

/**
 * The lookups that {@link make} takes.
 *
 * @category options
 * @since 0.1.0
 */
export interface Lookups<K, A, E, R> {
  /**
   * Looks one key up. `previous` is the known entry, for conditional lookups; its value is
   * `unknown` unless the parameter is annotated.
   */
  lookup(key: K, previous: Entry<unknown> | undefined): Effect.Effect<A | NotModified, E, R>
  /**
   * Looks many keys up in one call, 250 at most. The answer has a value for each key, or an `Exit`
   * if single keys can fail. A key that is missing in the answer is `KeyNotReturned`.
   */
  readonly lookupMany?:
    | ((keys: NonEmptyReadonlyArray<K>) => Effect.Effect<ReadonlyMap<K, Answer<A, E>>, E, R>)
    | undefined
}

const lookupNames: NamesOf<Lookups<unknown, unknown, unknown, unknown>> = {
  lookup: true,
  lookupMany: true,
}

/**
 * The answer of a bulk lookup for one key: its value, or an `Exit` of its own. An `Exit` always
 * counts as the outcome; a value that is itself an `Exit` goes into `Exit.succeed`.
 *
 * @category models
 * @since 0.1.0
 */
export type Answer<A, E> = A | Exit.Exit<A, E>

/**
 * A circuit of {@link withCircuitBreaker}, for a dashboard or a test that watches it.
 *
 * @category models
 * @since 0.1.0
 */
export interface UpstreamBreaker {
  /** The circuit's key. */
  readonly name: string
  /**
   * The state of the circuit. While its store is unreachable, the state is `Closed` if the breaker
   * lets calls through then (`onStoreError: "allow"`, the default), otherwise `Open`.
   */
  readonly state: Effect.Effect<CircuitBreaker.State>
  readonly transitions: Stream.Stream<CircuitBreaker.Transition>
}

/**
 * An upstream's functions, ready to be called: what `resolve` returns.
 *
 * @category models
 * @since 0.1.0
 */
export interface Resolved<in K, out A, out E = never> {
  readonly lookup: (
    key: K,
    previous: Entry<unknown> | undefined,
  ) => Effect.Effect<A | NotModified, E>
  readonly lookupMany:
    | (<K2 extends K>(
        keys: NonEmptyReadonlyArray<K2>,
      ) => Effect.Effect<ReadonlyMap<K2, Answer<A, E>>, E>)
    | undefined
  readonly breakers: ReadonlyArray<UpstreamBreaker>
}

/**
 * A source of `A` by `K`, which fails with `E` and needs `R`. Make one with {@link make}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Upstream<in K, out A, out E = never, out R = never> extends Pipeable.Pipeable {
  readonly [TypeId]: typeof TypeId
  /** Makes new state and captures services. A larder runs it once. */
  readonly resolve: Effect.Effect<Resolved<K, A, E>, never, R | Scope.Scope>
}

/**
 * The demand behind a lookup, for upstreams that treat lookups differently. A larder provides it to
 * each lookup.
 *
 * **Gotchas**
 *
 * A larder's demand is live: a caller that asks for a key whose refresh is running joins the
 * refresh, which is then in the foreground. Read the fields when you need them, not once when the
 * lookup begins. They have no meaning after the lookup has ended.
 *
 * @category models
 * @since 0.1.0
 */
export interface Demand {
  /** No caller waits for the lookup. */
  readonly background: boolean
  /** Every waiting caller could get a stale value instead. */
  readonly stale: boolean
}

/**
 * The {@link Demand} of the running lookup. By default a caller waits and has no stale value.
 *
 * **Example** (Background refreshes read a replica)
 *
 * ```ts
 * import { Upstream } from "@larder/core"
 * import { Effect } from "effect"
 *
 * const query = (host: string, id: string) => Effect.succeed(`${id} from ${host}`)
 *
 * export const products = Upstream.make({
 *   lookup: (id: string) =>
 *     Effect.flatMap(Upstream.Demand, ({ background }) =>
 *       query(background ? "replica" : "primary", id)
 *     )
 * })
 * ```
 *
 * @category references
 * @since 0.1.0
 */
export const Demand = Context.Reference<Demand>("@larder/core/Upstream/Demand", {
  defaultValue: () => ({ background: false, stale: false }),
})

const TimedOut = Context.Reference<boolean>("@larder/core/Upstream/TimedOut", {
  defaultValue: () => false,
})

/**
 * Annotations for the interruption of a lookup that took too long:
 * `fiber.interruptUnsafe(id, Upstream.timedOut)`. A circuit breaker counts an interruption with
 * them as a failure, and ignores all others.
 *
 * **Example**
 *
 * ```ts
 * import { Upstream } from "@larder/core"
 * import { Effect, Fiber } from "effect"
 * import { CircuitBreaker } from "effect/persistence"
 * import * as assert from "node:assert"
 *
 * const slow = Upstream.make({ lookup: (_: string) => Effect.never }).pipe(
 *   Upstream.withCircuitBreaker({ tripPolicy: CircuitBreaker.consecutive(1) })
 * )
 * const program = Effect.gen(function* () {
 *   const { breakers, lookup } = yield* slow.resolve
 *   const fiber = yield* Effect.forkChild(lookup("milk", undefined), { startImmediately: true })
 *   fiber.interruptUnsafe(undefined, Upstream.timedOut)
 *   yield* Fiber.await(fiber)
 *   return yield* breakers[0]!.state
 * })
 * const state = await Effect.runPromise(Effect.scoped(program))
 * assert.strictEqual(state._tag, "Open")
 * ```
 *
 * @category constants
 * @since 0.1.0
 */
export const timedOut: Context.Context<never> = Context.make(TimedOut, true)

/**
 * Whether a value is an upstream.
 *
 * **Example**
 *
 * ```ts
 * import { Upstream } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * assert.ok(Upstream.isUpstream(Upstream.make({ lookup: (id: string) => Effect.succeed(id) })))
 * assert.ok(!Upstream.isUpstream({ lookup: () => "milk" }))
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isUpstream = (u: unknown): u is Upstream<never, unknown, unknown, unknown> =>
  hasProperty(u, TypeId)

const invalid = (field: string, must: string, got: unknown): InvalidOptions =>
  InvalidOptions.of({ module: "Upstream", field, must, got })

const misnamed = (got: unknown, names: Names, within?: string): InvalidOptions | undefined =>
  InvalidOptions.ofNames({ module: "Upstream", names, got, within })

const fromResolve = <K, A, E, R>(
  resolve: Effect.Effect<Resolved<K, A, E>, never, R | Scope.Scope>,
): Upstream<K, A, E, R> => ({
  ...Pipeable.Prototype,
  [TypeId]: TypeId,
  resolve,
})

/**
 * Captures the services of the fiber that resolves the upstream. From the fiber that
 * runs a lookup, the lookup sees only its span, its demand and its reach. Each call has
 * a new scope.
 */
const captured = <R>() =>
  Effect.map(Effect.context<Exclude<R, Scope.Scope>>(), (context) => {
    const services = Context.omit(
      Scope.Scope,
      Tracer.ParentSpan,
      Demand,
      Reach.tag,
    )(context) as Context.Context<R>
    return <A, E>(effect: Effect.Effect<A, E, R | Scope.Scope>): Effect.Effect<A, E> =>
      Effect.withFiber((fiber) => {
        const isThere = isFrom(fiber.context, context)
        return Effect.scoped(isThere ? effect : Effect.provideContext(effect, services))
      }) as Effect.Effect<A, E>
  })

/**
 * Makes an upstream from its lookups.
 *
 * **Details**
 *
 * Lookups get the services of the place where the larder is made, not those of its
 * callers. Each lookup has a new `Scope`, which closes when it ends. Annotate the
 * parameter `key`, or pass a function whose parameter has a type.
 *
 * **Gotchas**
 *
 * Throws `InvalidOptions` for lookups that are no functions; {@link makeResult} returns it.
 *
 * **Example**
 *
 * ```ts
 * import { Upstream } from "@larder/core"
 * import { Effect, Schedule } from "effect"
 *
 * const prices = new Map([["milk", 120], ["eggs", 310]])
 *
 * export const upstream = Upstream.make({
 *   lookup: (id: string) =>
 *     prices.has(id) ? Effect.succeed(prices.get(id)) : Effect.fail("unknown product" as const),
 *   lookupMany: (ids) => Effect.succeed(new Map(ids.map((id) => [id, prices.get(id)])))
 * }).pipe(
 *   Upstream.withRetry(Schedule.recurs(2)),
 *   Upstream.withCircuitBreaker(),
 *   Upstream.withConcurrency({ foreground: 8, background: 2, queue: 64 })
 * )
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <K, A, E = never, R = never>(
  lookups: Lookups<K, A, E, R>,
): Upstream<K, A, E, Exclude<R, Scope.Scope>> => Result.getOrThrow(makeResult(lookups))

/**
 * {@link make} for lookups from outside: returns the `InvalidOptions` instead of throwing it.
 *
 * **Example**
 *
 * ```ts
 * import { Upstream } from "@larder/core"
 * import { Effect, Result } from "effect"
 * import * as assert from "node:assert"
 *
 * const upstream = Upstream.makeResult({ lookup: (id: string) => Effect.succeed(id.length) })
 * assert.ok(Result.isSuccess(upstream))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeResult = <K, A, E = never, R = never>(
  lookups: Lookups<K, A, E, R>,
): Result.Result<Upstream<K, A, E, Exclude<R, Scope.Scope>>, InvalidOptions> => {
  if (!areOptions(lookups)) {
    return Result.fail(invalid("lookups", "be an object with lookup and lookupMany", lookups))
  }
  // An object of a class may have members of its own.
  const isPlain = Object.getPrototypeOf(lookups) === Object.prototype
  const mistake = isPlain ? misnamed(lookups, lookupNames) : undefined
  if (mistake !== undefined) return Result.fail(mistake)
  const { lookup, lookupMany } = lookups
  if (typeof lookup !== "function") {
    return Result.fail(invalid("lookup", "be a function from a key to an Effect", lookup))
  }
  if (lookupMany !== undefined && typeof lookupMany !== "function") {
    const must = "be a function from keys to an Effect of a Map, or be left out"
    return Result.fail(invalid("lookupMany", must, lookupMany))
  }
  return Result.succeed(fromLookups(lookups))
}

const fromLookups = <K, A, E, R>(
  lookups: Lookups<K, A, E, R>,
): Upstream<K, A, E, Exclude<R, Scope.Scope>> =>
  fromResolve(
    Effect.map(captured<R>(), (provide): Resolved<K, A, E> => {
      const { lookupMany } = lookups
      return Reach.noted<Resolved<K, A, E>>({
        lookup: (key, previous) => provide(Reach.entering(() => lookups.lookup(key, previous))),
        lookupMany:
          lookupMany &&
          asked<K, A, E>((keys) => provide(Reach.entering(() => lookupMany.call(lookups, keys)))),
        breakers: [],
      })
    }),
  )

type Many<K, A, E> = (
  keys: NonEmptyReadonlyArray<K>,
) => Effect.Effect<ReadonlyMap<K, Answer<A, E>>, E>

/** The answer has keys of the source. Their type is that of the requested keys, which a caller may have narrowed to `K2`. */
const asked = <K, A, E>(many: Many<K, A, E>) => many as NonNullable<Resolved<K, A, E>["lookupMany"]>

type Guard<E, E2> = <A>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E | E2>

/** Puts one guard around single and bulk lookups. */
const guarded = <K, A, E, E2>(
  resolved: Resolved<K, A, E>,
  { breaker, gates, guard }: Made<E, E2>,
): Resolved<K, A, E | E2> => {
  const { breakers, lookup, lookupMany } = Reach.ensureNoted(resolved)
  const outer = Reach.noted<Resolved<K, A, E | E2>>({
    lookup: (key, previous) => guard(Effect.suspend(() => lookup(key, previous))),
    lookupMany: lookupMany && ((keys) => guard(Effect.suspend(() => lookupMany(keys)))),
    breakers: breaker === undefined ? breakers : [...breakers, breaker],
  })
  Gate.setGates(outer, resolved, gates)
  return outer
}

interface Made<E, E2> {
  readonly guard: Guard<E, E2>
  /** The circuit of the guard, if it is a circuit breaker. */
  readonly breaker?: UpstreamBreaker
  /** The permits of the guard, if it has any. */
  readonly gates?: Gate.Gates
}

/** An upstream with a guard, which each `resolve` makes anew from the circuits inside. */
const withGuard = <K, A, E, R, E2, R2>(
  self: Upstream<K, A, E, R>,
  make: (inside: ReadonlyArray<UpstreamBreaker>) => Effect.Effect<Made<E, E2>, never, R2>,
): Upstream<K, A, E | E2, R | Exclude<R2, Scope.Scope>> =>
  fromResolve<K, A, E | E2, R | Exclude<R2, Scope.Scope>>(
    Effect.flatMap(self.resolve, (resolved) =>
      Effect.map(
        make(resolved.breakers) as Effect.Effect<
          Made<E, E2>,
          never,
          Exclude<R2, Scope.Scope> | Scope.Scope
        >,
        (made) => guarded(resolved, made),
      ),
    ),
  )

/** A guard whose options were checked. */
type Checked<F> = Result.Result<F, InvalidOptions>

/** As `dual`, but checks the options at once, also in the form that gets its upstream later. */
const eagerDual = <F>(check: (options: never) => Checked<(self: never) => unknown>): F =>
  ((...args: ReadonlyArray<unknown>) =>
    isUpstream(args[0])
      ? Result.getOrThrow(check(args[1] as never))(args[0] as never)
      : Result.getOrThrow(check(args[0] as never))) as F

/** As `dual`, with a `Result` of the upstream. */
const resultDual = <F>(check: (options: never) => Checked<(self: never) => unknown>): F => {
  const guardedBy = (self: unknown, options: unknown) =>
    Result.map(check(options as never), (guard) => guard(self as never))
  return ((...args: ReadonlyArray<unknown>) =>
    isUpstream(args[0])
      ? guardedBy(args[0], args[1])
      : (self: unknown) => guardedBy(self, args[0])) as F
}

const retrying = <E, X, E2, R2>(schedule: Schedule.Schedule<X, E, E2, R2>) => {
  if (!Schedule.isSchedule(schedule)) {
    const must = "be given a Schedule, such as Schedule.recurs(2)"
    return Result.fail(invalid("withRetry", must, schedule))
  }
  return Result.succeed(
    <K, A, R>(self: Upstream<K, A, E, R>): Upstream<K, A, E | E2, R | Exclude<R2, Scope.Scope>> =>
      withGuard(self, (inside) =>
        Effect.map(captured<R2>(), (provide) => {
          for (const breaker of inside) circuitOf(breaker)?.retriesRefusals()
          return {
            guard: <B>(effect: Effect.Effect<B, E>) => provide(Effect.retry(effect, schedule)),
          }
        }),
      ),
  )
}

/**
 * Retries failed lookups as the schedule says. The larder's `hardTimeout` bounds
 * all attempts together.
 *
 * **Details**
 *
 * Errors of guards earlier in the pipe are retried like any other. Put `withRetry`
 * before `withCircuitBreaker` and `withConcurrency` to retry only the lookup itself:
 * it then keeps its permit and counts as one call.
 *
 * **Gotchas**
 *
 * Throws `InvalidOptions` unless it gets a schedule; {@link withRetryResult} returns it.
 *
 * **Example**
 *
 * ```ts
 * import { Upstream } from "@larder/core"
 * import { Effect, Schedule } from "effect"
 *
 * export const upstream = Upstream.make({
 *   lookup: (id: string) => Effect.fail(`${id} cannot be reached`)
 * }).pipe(Upstream.withRetry(Schedule.exponential("50 millis").pipe(Schedule.upTo({ times: 3 }))))
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const withRetry: {
  <E, X, E2 = never, R2 = never>(
    schedule: Schedule.Schedule<X, NoInfer<E>, E2, R2>,
  ): <K, A, R>(self: Upstream<K, A, E, R>) => Upstream<K, A, E | E2, R | Exclude<R2, Scope.Scope>>
  <K, A, E, R, X, E2 = never, R2 = never>(
    self: Upstream<K, A, E, R>,
    schedule: Schedule.Schedule<X, NoInfer<E>, E2, R2>,
  ): Upstream<K, A, E | E2, R | Exclude<R2, Scope.Scope>>
} = eagerDual(retrying)

/**
 * {@link withRetry} for a schedule from outside: returns the `InvalidOptions` instead of throwing it.
 *
 * **Example**
 *
 * ```ts
 * import { Upstream } from "@larder/core"
 * import { Effect, Result, Schedule } from "effect"
 * import * as assert from "node:assert"
 *
 * const upstream = Upstream.make({ lookup: (id: string) => Effect.succeed(id.length) })
 * assert.ok(Result.isSuccess(Upstream.withRetryResult(upstream, Schedule.recurs(2))))
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const withRetryResult: {
  <E, X, E2 = never, R2 = never>(
    schedule: Schedule.Schedule<X, NoInfer<E>, E2, R2>,
  ): <K, A, R>(
    self: Upstream<K, A, E, R>,
  ) => Result.Result<Upstream<K, A, E | E2, R | Exclude<R2, Scope.Scope>>, InvalidOptions>
  <K, A, E, R, X, E2 = never, R2 = never>(
    self: Upstream<K, A, E, R>,
    schedule: Schedule.Schedule<X, NoInfer<E>, E2, R2>,
  ): Result.Result<Upstream<K, A, E | E2, R | Exclude<R2, Scope.Scope>>, InvalidOptions>
} = resultDual(retrying)

/**
 * Bounds of {@link withConcurrency}: whole numbers, or `Infinity` for no bound.
 *
 * @category options
 * @since 0.1.0
 */
export interface Concurrency {
  /** How many lookups may run at once. */
  readonly foreground: number
  /**
   * How many background lookups, for which no caller waits, may run at once, in addition to the
   * others. By default they share the permits of the foreground.
   */
  readonly background?: number | undefined
  /**
   * How many lookups may wait for a permit; further lookups fail with `Shed`. With 0 no lookup
   * waits. By default there is no bound, and no `Shed`.
   */
  readonly queue?: number | undefined
}

const concurrencyNames: NamesOf<Concurrency> = { foreground: true, background: true, queue: true }

/**
 * {@link Concurrency} whose queue has no bound.
 *
 * @category options
 * @since 0.1.0
 */
export interface UnboundedConcurrency extends Concurrency {
  readonly queue?: undefined
}

const isPermits = (n: unknown) => n === Infinity || (Number.isSafeInteger(n) && Number(n) >= 1)

const isLength = (n: unknown) => Number.isSafeInteger(n) && Number(n) >= 0

const checkedConcurrency = (options: number | Concurrency): Checked<Concurrency> => {
  const bounds = typeof options === "object" && options !== null ? options : { foreground: options }
  const mistake = misnamed(bounds, concurrencyNames, "withConcurrency")
  if (mistake !== undefined) return Result.fail(mistake)
  const { background, foreground, queue }: Concurrency = bounds
  const unless = (field: keyof Concurrency, must: string) =>
    Result.fail(invalid(`withConcurrency ${field}`, must, bounds[field]))
  const permits = "be an integer of at least 1 or Infinity"
  if (!isPermits(foreground)) return unless("foreground", permits)
  if (background !== undefined && !isPermits(background)) return unless("background", permits)
  return queue === undefined || isLength(queue)
    ? Result.succeed(bounds)
    : unless("queue", "be an integer of at least 0, or be left out for no bound")
}

const bounded = (options: number | Concurrency) =>
  Result.map(checkedConcurrency(options), ({ background, foreground, queue }) => {
    const make = Effect.sync(() => {
      const front = new Gate.Gate({ limit: foreground, queue, background: false })
      const back =
        background === undefined
          ? front
          : new Gate.Gate({ limit: background, queue, background: true })
      const gates: Gate.Gates = { foreground: front, background: back }
      const guard = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E | Gate.Shed> =>
        Effect.flatMap(Demand, (demand) => Gate.enter(gates, demand, effect))
      return { guard, gates }
    })
    return <K, A, E, R>(self: Upstream<K, A, E, R>): Upstream<K, A, E | Gate.Shed, R> =>
      withGuard<K, A, E, R, Gate.Shed, never>(self, () => make)
  })

/**
 * Bounds how many lookups run at once, and with `queue` how many wait for a permit.
 *
 * **When to use**
 *
 * Use to protect an upstream from the lookups of a cold cache, and an upstream that
 * has become slow from more work.
 *
 * **Details**
 *
 * - A bulk lookup takes one permit, as a single one does. Lookups get permits in
 *   the order of their requests. A lookup that is interrupted, as by the larder's
 *   `hardTimeout`, leaves the queue. Waiting counts towards `hardTimeout`.
 * - `background` gives refreshes that no caller waits for separate permits and a
 *   separate queue, so that they do not delay misses. A refresh that a caller joins
 *   moves to the end of the foreground queue, as soon as that has room.
 * - With `queue`, a lookup that finds the queue full fails with {@link Shed}. So does
 *   a lookup that finds no free permit while its callers can get a stale value: a
 *   stale value is preferred to waiting.
 *
 * **Gotchas**
 *
 * - Without this guard the number of lookups has no bound: 200,000 misses are 200,000
 *   lookups at once, and each takes 6.4 KB of this process alone.
 * - Deadlock: a lookup that asks its own larder for another key holds its permit
 *   while the other lookup waits for one. When such lookups hold all permits, they
 *   wait until `hardTimeout`. Ask the source for the other key, not the larder, or
 *   put the two kinds of keys into two larders with separate permits.
 * - A lookup that ignores its interruption keeps its permit until it ends, since it
 *   still runs.
 * - Throws `InvalidOptions` for NaN, fractions, zero and negatives;
 *   {@link withConcurrencyResult} returns it.
 *
 * **Example**
 *
 * ```ts
 * import { Upstream } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * export const upstream = Upstream.make({ lookup: (id: string) => Effect.succeed(id.length) }).pipe(
 *   Upstream.withConcurrency({ foreground: 8, background: 2, queue: 64 })
 * )
 * assert.throws(() => Upstream.withConcurrency(0), { _tag: "InvalidOptions", module: "Upstream" })
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const withConcurrency: {
  (
    bounds: number | UnboundedConcurrency,
  ): <K, A, E, R>(self: Upstream<K, A, E, R>) => Upstream<K, A, E, R>
  (
    bounds: Concurrency,
  ): <K, A, E, R>(self: Upstream<K, A, E, R>) => Upstream<K, A, E | Gate.Shed, R>
  <K, A, E, R>(
    self: Upstream<K, A, E, R>,
    bounds: number | UnboundedConcurrency,
  ): Upstream<K, A, E, R>
  <K, A, E, R>(self: Upstream<K, A, E, R>, bounds: Concurrency): Upstream<K, A, E | Gate.Shed, R>
} = eagerDual(bounded)

/**
 * {@link withConcurrency} for bounds from outside: returns the `InvalidOptions` instead of throwing it.
 *
 * **Example**
 *
 * ```ts
 * import { Upstream } from "@larder/core"
 * import { Effect, Result } from "effect"
 * import * as assert from "node:assert"
 *
 * const upstream = Upstream.make({ lookup: (id: string) => Effect.succeed(id.length) })
 * assert.ok(Result.isFailure(Upstream.withConcurrencyResult(upstream, 0)))
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const withConcurrencyResult: {
  (
    bounds: number | UnboundedConcurrency,
  ): <K, A, E, R>(self: Upstream<K, A, E, R>) => Result.Result<Upstream<K, A, E, R>, InvalidOptions>
  (
    bounds: Concurrency,
  ): <K, A, E, R>(
    self: Upstream<K, A, E, R>,
  ) => Result.Result<Upstream<K, A, E | Gate.Shed, R>, InvalidOptions>
  <K, A, E, R>(
    self: Upstream<K, A, E, R>,
    bounds: number | UnboundedConcurrency,
  ): Result.Result<Upstream<K, A, E, R>, InvalidOptions>
  <K, A, E, R>(
    self: Upstream<K, A, E, R>,
    bounds: Concurrency,
  ): Result.Result<Upstream<K, A, E | Gate.Shed, R>, InvalidOptions>
} = resultDual(bounded)

/**
 * Options of {@link withCircuitBreaker}.
 *
 * @category options
 * @since 0.1.0
 */
export interface BreakerOptions<RS = never> {
  /** When the circuit opens. Default `CircuitBreaker.consecutive(5)`. */
  readonly tripPolicy?: CircuitBreaker.TripPolicy | undefined
  /** How long the circuit stays open before it lets a probe through. Default 10 seconds. */
  readonly openDuration?: Duration.Input | Schedule.Schedule<unknown, number> | undefined
  /** The longest the circuit stays open when a failure has a `retryAfter`. Default 1 hour. */
  readonly maxOpenDuration?: Duration.Input | undefined
  /**
   * While lookups wait for a probe, the circuit lets one through this long after it
   * opened, even if `openDuration` is longer. Default 1 second. It does not apply with
   * a `store`, nor before the moment that a failure's `retryAfter` names.
   */
  readonly probeEvery?: Duration.Input | undefined
  /**
   * How many lookups of a larder may wait for the outcome of the next probe; further
   * lookups fail at once. With 0 no lookup waits. Default 1,000.
   */
  readonly probeQueue?: number | undefined
  /** While the store is unreachable: let calls through ("allow", the default), or fail them. */
  readonly onStoreError?: "allow" | "fail" | undefined
  /**
   * The circuit's key in its store, and its name in `stats`. Default "upstream"; a
   * second circuit of the same pipe is "upstream-2", and so on. Set a key if circuits
   * share a store. The key of another circuit of the pipe is `InvalidOptions`, a
   * defect when the upstream is resolved.
   */
  readonly key?: string | undefined
  /** The store of the circuit's state. By default each larder has its own circuit, in memory. */
  readonly store?:
    | CircuitBreaker.CircuitBreakerStore["Service"]
    | Layer.Layer<CircuitBreaker.CircuitBreakerStore, never, RS>
    | undefined
}

/**
 * Decides whether an answer counts for the circuit. Bulk lookups answer with a Map, in which keys
 * may have failed.
 *
 * @category models
 * @since 0.1.0
 */
export type Classify<A, E, R = never> = (
  exit: Exit.Exit<A | NotModified | ReadonlyMap<unknown, Answer<A, E>>, E>,
) => CircuitBreaker.Outcome | Effect.Effect<CircuitBreaker.Outcome, never, R>

/**
 * {@link BreakerOptions} with a `classify`, which decides which failures count for the circuit.
 *
 * @category options
 * @since 0.1.0
 */
export interface ClassifyOptions<A, E, R2 = never, RS = never> extends BreakerOptions<RS> {
  /**
   * Classifies an answer. By default every failure and defect counts as a failure. It is not called
   * for an interruption, nor for a lookup that never reached upstream.
   */
  readonly classify: Classify<A, E, R2>
}

interface AnyBreakerOptions<A, E, R2, RS> extends BreakerOptions<RS> {
  readonly classify?: Classify<A, E, R2> | undefined
}

const breakerNames: NamesOf<AnyBreakerOptions<unknown, unknown, unknown, unknown>> = {
  tripPolicy: true,
  openDuration: true,
  maxOpenDuration: true,
  probeEvery: true,
  probeQueue: true,
  onStoreError: true,
  key: true,
  store: true,
  classify: true,
}

interface CheckedBreaker {
  readonly probeEvery: number
  readonly probeQueue: number
}

/** A duration in milliseconds; undefined unless it is above 0. */
const timeOf = (input: Duration.Input): number | undefined => {
  const millis = millisOf(input)
  return millis === 0 ? undefined : millis
}

const isNoTime = (input: Duration.Input | undefined): boolean =>
  input !== undefined && timeOf(input) === undefined

const checkedBreaker = <A, E, R2, RS>(
  options: AnyBreakerOptions<A, E, R2, RS>,
): Checked<CheckedBreaker> => {
  const mistake = misnamed(options, breakerNames, "withCircuitBreaker")
  if (mistake !== undefined) return Result.fail(mistake)
  const { classify, key, maxOpenDuration, onStoreError = "allow", openDuration } = options
  const unless = (field: keyof typeof options, must: string) =>
    Result.fail(invalid(`withCircuitBreaker ${field}`, must, options[field]))
  const time = 'be a duration above 0, such as "10 seconds"'
  if (classify !== undefined && typeof classify !== "function") {
    return unless("classify", "be a function from an Exit to an outcome, or be left out")
  }
  if (onStoreError !== "allow" && onStoreError !== "fail") {
    return unless("onStoreError", 'be "allow" or "fail"')
  }
  if (key !== undefined && (typeof key !== "string" || key === "")) {
    return unless("key", "be a non-empty string, or be left out")
  }
  if (!Schedule.isSchedule(openDuration) && isNoTime(openDuration)) {
    return unless("openDuration", `${time}, or a Schedule`)
  }
  if (isNoTime(maxOpenDuration)) return unless("maxOpenDuration", time)
  const probeEvery = timeOf(options.probeEvery ?? circuitProbeMillis)
  if (probeEvery === undefined) return unless("probeEvery", time)
  const probeQueue = options.probeQueue ?? circuitQueue
  return isLength(probeQueue)
    ? Result.succeed({ probeEvery, probeQueue })
    : unless("probeQueue", "be an integer of at least 0")
}

const storeOf = <RS>(
  given: BreakerOptions<RS>["store"],
): Effect.Effect<
  CircuitBreaker.CircuitBreakerStore["Service"],
  never,
  Exclude<RS, Scope.Scope> | Scope.Scope
> => {
  const store = given ?? inSteadyTime(CircuitBreaker.layerStoreMemory())
  if (!Layer.isLayer(store))
    return Effect.succeed(store as CircuitBreaker.CircuitBreakerStore["Service"])
  const layer = store as Layer.Layer<
    CircuitBreaker.CircuitBreakerStore,
    never,
    Exclude<RS, Scope.Scope>
  >
  return Effect.map(Layer.build(layer), Context.get(CircuitBreaker.CircuitBreakerStore))
}

const byDefault = (exit: Exit.Exit<unknown, unknown>): CircuitBreaker.Outcome =>
  Exit.isSuccess(exit) ? CircuitBreaker.success : CircuitBreaker.failure()

const keyOf = (given: string | undefined, circuits: ReadonlyArray<string>): string => {
  if (given === undefined) return uniqueName("upstream", circuits)
  if (!circuits.includes(given)) return given
  const must = "differ from the keys of the other circuits of the pipe, or be left out"
  throw invalid("withCircuitBreaker key", must, given)
}

const tookTooLong = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isFailure(exit) && Context.get(Cause.annotations(exit.cause), TimedOut)

const breaking = <A, E, R2, RS>(options: AnyBreakerOptions<A, E, R2, RS> = {}) =>
  Result.map(checkedBreaker(options), (checked) => breakingWith(options, checked))

const breakingWith = <A, E, R2, RS>(
  options: AnyBreakerOptions<A, E, R2, RS>,
  { probeEvery, probeQueue: queue }: CheckedBreaker,
) => {
  const { classify, onStoreError = "allow" } = options
  const make = Effect.fnUntraced(function* (inside: ReadonlyArray<UpstreamBreaker>) {
    const names = inside.map(({ name }) => name)
    const key = keyOf(options.key, names)
    const isOwn = options.store === undefined
    const circuit = new Circuit(yield* Effect.context(), { key, probeEvery, queue, isOwn })
    yield* Effect.addFinalizer(() => Effect.sync(() => circuit.stop()))
    const store = circuit.watch(yield* storeOf(options.store))
    const breaker = yield* CircuitBreaker.make({
      tripPolicy: options.tripPolicy ?? CircuitBreaker.consecutive(circuitFailures),
      openDuration: options.openDuration ?? circuitOpenMillis,
      maxOpenDuration: options.maxOpenDuration,
      onStoreError,
    }).pipe(Effect.provideService(CircuitBreaker.CircuitBreakerStore, store))
    const provide = yield* captured<R2>()
    const hinting = (outcome: CircuitBreaker.Outcome): CircuitBreaker.Outcome => {
      if (outcome._tag === "Failure" && outcome.retryAfter !== undefined) {
        circuit.hinted(outcome.retryAfter)
      }
      return outcome
    }
    const outcome =
      classify === undefined
        ? byDefault
        : (exit: Exit.Exit<unknown, unknown>) => {
            const answer = classify(exit as Parameters<typeof classify>[0])
            return Effect.isEffect(answer) ? Effect.map(provide(answer), hinting) : hinting(answer)
          }
    const unreachable: CircuitBreaker.State =
      onStoreError === "allow"
        ? { _tag: "Closed", key }
        : { _tag: "Open", key, retryAfter: Duration.zero, consecutiveOpenings: 0 }
    return {
      guard: throughCircuit(breaker, circuit, key, outcome),
      breaker: setCircuit<UpstreamBreaker>(
        {
          name: key,
          state: Effect.orElseSucceed(breaker.state(key), () => unreachable),
          transitions: breaker.transitions,
        },
        circuit,
      ),
    }
  })
  return <K, R>(self: Upstream<K, A, E, R>) =>
    withGuard<K, A, E, R, CircuitBreaker.CircuitBreakerError, R2 | RS | Scope.Scope>(self, make)
}

type Outcomes = (
  exit: Exit.Exit<unknown, unknown>,
) => CircuitBreaker.Outcome | Effect.Effect<CircuitBreaker.Outcome>

/**
 * The guard of a circuit. It ignores calls that have not reached upstream, and
 * interrupted calls, since most of them are interrupted because no caller wants the
 * answer any more. A call that took too long is a failure: a separate call of the
 * breaker counts it, unless the circuit has opened meanwhile.
 */
const throughCircuit = (
  breaker: CircuitBreaker.CircuitBreaker,
  circuit: Circuit,
  key: string,
  classify: Outcomes,
) => {
  const countTimeout = Effect.flatMap(breaker.state(key), (state) =>
    state._tag === "Open" ? Effect.void : breaker.execute(Effect.fail("took too long"), { key }),
  )
  return <A, E>(
    effect: Effect.Effect<A, E>,
  ): Effect.Effect<A, E | CircuitBreaker.CircuitBreakerError> =>
    Effect.withFiber((fiber) => {
      const { call, context } = Reach.beginIn(fiber.context)
      let admitted = false
      // Abandonable: a probe that ignores its interruption must not keep the circuit half open for ever.
      const begin = Effect.suspend(() => {
        admitted = true
        return abandonable(effect, context)
      })
      const outcome: Outcomes = (exit) => (call.reached ? classify(exit) : CircuitBreaker.ignored)
      const attempt = breaker
        .execute(begin, { key, classify: outcome })
        .pipe(
          Effect.onExit((exit) =>
            call.reached && tookTooLong(exit)
              ? Effect.asVoid(Effect.exit(countTimeout))
              : Effect.void,
          ),
        )
      const demand = Context.get(fiber.context, Demand)
      // A call without a larder does not wait: no deadline would bound the wait.
      if (!(demand instanceof LiveDemand)) return attempt
      const patient: typeof attempt = Effect.catchIf(
        attempt,
        (error) => !admitted && error instanceof CircuitBreaker.CircuitBreakerError,
        (error) =>
          Effect.andThen(
            circuit.wait(demand, error as CircuitBreaker.CircuitBreakerError),
            patient,
          ),
      )
      return patient
    })
}

/**
 * Stops lookups while upstream fails: Effect's `CircuitBreaker`, with one circuit
 * for single and bulk lookups.
 *
 * **Details**
 *
 * - After five failures in a row (`tripPolicy`) the circuit opens: for 10 seconds
 *   (`openDuration`) lookups fail at once with `CircuitBreakerError`. Then it lets one
 *   lookup through, the probe, and its outcome closes the circuit or opens it again.
 * - Every failure and defect of a lookup that reached upstream counts, unless
 *   `classify` decides otherwise: "not found" is not an outage. A lookup that was
 *   interrupted in the queue of `withConcurrency`, was shed there or was rejected by
 *   another circuit has not reached upstream: it does not count, and `classify` is
 *   not called.
 * - An interrupted lookup does not count, unless it was interrupted because it took
 *   too long, as by the larder's `hardTimeout`: see {@link timedOut}.
 * - Each larder has its own circuit in memory, unless there is a `store`.
 * - A lookup of a larder whose callers have no stale value does not fail at once: it
 *   waits for the outcome of the next probe, within its `hardTimeout`. While such
 *   lookups wait, up to `probeQueue`, the circuit lets one of them through as a probe
 *   `probeEvery` after it opened. When the probe succeeds, all of them continue; when
 *   it fails, they fail with the circuit's error. A background refresh, a lookup whose
 *   callers have a stale value, and a lookup whose `hardTimeout` ends before the next
 *   probe never wait.
 *
 * **Gotchas**
 *
 * - A lookup that waits for a probe may keep the permit of a `withConcurrency` later
 *   in the pipe. With `withConcurrency` before `withCircuitBreaker` it holds none.
 * - With a `store`, a probe waits for all of `openDuration`.
 * - An upstream that is resolved without a larder has no `hardTimeout`, so its
 *   lookups never wait.
 * - Throws `InvalidOptions` for durations that are NaN, zero or negative, and for a
 *   `probeQueue` that is no integer of at least 0; {@link withCircuitBreakerResult}
 *   returns it.
 *
 * **Example** ("not found" is no failure of the upstream)
 *
 * ```ts
 * import { Upstream } from "@larder/core"
 * import { Data, Effect, Exit } from "effect"
 * import { CircuitBreaker } from "effect/persistence"
 *
 * class NotFound extends Data.TaggedError("NotFound")<{ readonly id: string }> {}
 *
 * export const upstream = Upstream.make({
 *   lookup: (id: string) => Effect.fail(new NotFound({ id }))
 * }).pipe(
 *   Upstream.withCircuitBreaker({
 *     openDuration: "30 seconds",
 *     classify: (exit) =>
 *       Exit.isSuccess(exit) || Exit.hasFails(exit) ? CircuitBreaker.success : CircuitBreaker.failure()
 *   })
 * )
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const withCircuitBreaker: {
  <A, E, R2 = never, RS = never>(
    options: ClassifyOptions<A, E, R2, RS>,
  ): <K, R>(
    self: Upstream<K, A, E, R>,
  ) => Upstream<K, A, E | CircuitBreaker.CircuitBreakerError, R | Exclude<R2 | RS, Scope.Scope>>
  <RS = never>(
    options?: BreakerOptions<RS>,
  ): <K, A, E, R>(
    self: Upstream<K, A, E, R>,
  ) => Upstream<K, A, E | CircuitBreaker.CircuitBreakerError, R | Exclude<RS, Scope.Scope>>
  <K, A, E, R, R2 = never, RS = never>(
    self: Upstream<K, A, E, R>,
    options?: BreakerOptions<RS> & { readonly classify?: Classify<A, E, R2> | undefined },
  ): Upstream<K, A, E | CircuitBreaker.CircuitBreakerError, R | Exclude<R2 | RS, Scope.Scope>>
} = eagerDual(breaking)

/**
 * {@link withCircuitBreaker} for options from outside: returns the `InvalidOptions` instead of throwing it.
 *
 * **Example**
 *
 * ```ts
 * import { Upstream } from "@larder/core"
 * import { Effect, Result } from "effect"
 * import * as assert from "node:assert"
 *
 * const upstream = Upstream.make({ lookup: (id: string) => Effect.succeed(id.length) })
 * const guarded = Upstream.withCircuitBreakerResult(upstream, { openDuration: "0 seconds" })
 * assert.ok(Result.isFailure(guarded))
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const withCircuitBreakerResult: {
  <A, E, R2 = never, RS = never>(
    options: ClassifyOptions<A, E, R2, RS>,
  ): <K, R>(
    self: Upstream<K, A, E, R>,
  ) => Result.Result<
    Upstream<K, A, E | CircuitBreaker.CircuitBreakerError, R | Exclude<R2 | RS, Scope.Scope>>,
    InvalidOptions
  >
  <RS = never>(
    options?: BreakerOptions<RS>,
  ): <K, A, E, R>(
    self: Upstream<K, A, E, R>,
  ) => Result.Result<
    Upstream<K, A, E | CircuitBreaker.CircuitBreakerError, R | Exclude<RS, Scope.Scope>>,
    InvalidOptions
  >
  <K, A, E, R, R2 = never, RS = never>(
    self: Upstream<K, A, E, R>,
    options?: BreakerOptions<RS> & { readonly classify?: Classify<A, E, R2> | undefined },
  ): Result.Result<
    Upstream<K, A, E | CircuitBreaker.CircuitBreakerError, R | Exclude<R2 | RS, Scope.Scope>>,
    InvalidOptions
  >
} = resultDual(breaking)

/**
 * The class that {@link Service} makes: a service key whose service is the resolved upstream, and an
 * upstream itself.
 *
 * @category services
 * @since 0.1.0
 */
export interface ServiceClass<Self, Id extends string, K, A, E> extends Context.ServiceClass<
  Self,
  Id,
  Resolved<K, A, E>
> {
  readonly [TypeId]: typeof TypeId
  readonly resolve: Effect.Effect<Resolved<K, A, E>, never, Self>
  /** Makes the service from its lookups. */
  readonly layer: <R = never>(
    lookups: ServiceLookups<K, A, E, R>,
  ) => Layer.Layer<Self, never, Exclude<R, Scope.Scope>>
  /** Makes the service from an effect that returns its lookups; the effect may use services and fail. */
  readonly layerEffect: <R = never, E2 = never, R2 = never>(
    lookups: Effect.Effect<ServiceLookups<K, A, E, R>, E2, R2>,
  ) => Layer.Layer<Self, E2, Exclude<R | R2, Scope.Scope>>
}

/**
 * {@link Lookups} of a service, whose type of value is fixed.
 *
 * @category options
 * @since 0.1.0
 */
export interface ServiceLookups<K, A, E, R> {
  readonly lookup: (key: K, previous: Entry<A> | undefined) => Effect.Effect<A | NotModified, E, R>
  readonly lookupMany?:
    | ((keys: NonEmptyReadonlyArray<K>) => Effect.Effect<ReadonlyMap<K, Answer<A, E>>, E, R>)
    | undefined
}

/**
 * Makes an upstream that is provided as a `Layer`: extend the class that it
 * returns, and use the class wherever an upstream can be used.
 *
 * **When to use**
 *
 * Use where the source differs between environments, such as a fake one in tests.
 * A larder that uses the class requires it as a service.
 *
 * **Example**
 *
 * ```ts
 * import { Upstream } from "@larder/core"
 * import { Effect } from "effect"
 *
 * class Catalogue extends Upstream.Service<Catalogue, string, number>()("app/Catalogue") {
 *   static readonly live = this.layer({ lookup: (id) => Effect.succeed(id.length) })
 * }
 *
 * export const upstream = Catalogue.pipe(Upstream.withConcurrency(4))
 * export const layer = Catalogue.live
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export const Service =
  <Self, K, A, E = never>() =>
  <const Id extends string>(id: Id): ServiceClass<Self, Id, K, A, E> => {
    const tag = Context.Service<Self, Resolved<K, A, E>>()(id)
    // Suspended, so that invalid lookups are a defect of the layer.
    const resolved = <R>(lookups: ServiceLookups<K, A, E, R>) =>
      Effect.suspend(() => make<K, A, E, R>(lookups).resolve)
    return Object.assign(tag, {
      [TypeId]: TypeId,
      // A service key is an effect that returns its service.
      resolve: tag,
      layer: <R>(lookups: ServiceLookups<K, A, E, R>) => Layer.effect(tag, resolved(lookups)),
      layerEffect: <R, E2, R2>(lookups: Effect.Effect<ServiceLookups<K, A, E, R>, E2, R2>) =>
        Layer.effect(tag, Effect.flatMap(lookups, resolved)),
    } as const)
  }
