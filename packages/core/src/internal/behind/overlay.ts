/** Lookups that give what waits in an outbox instead of what the source still has. */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Pipeable from "effect/Pipeable"
import * as Scope from "effect/Scope"
import type { NewestWrite, Outbox } from "../../Outbox.ts"
import type { Answer, Resolved, Upstream } from "../../Upstream.ts"
import { firstOverlayPauseMillis, longestOverlayPauseMillis } from "../runtime/limits.ts"
import { setGates } from "../upstream/concurrencyLimiter.ts"
import * as Reach from "../upstream/reach.ts"
import { OutboxFailed } from "./outboxErrors.ts"

type WhenRemoved<K, A, E, R> = (key: K) => Effect.Effect<A, E, R>

/** The lookups of one larder. */
class Overlay<K, A, E, E2> {
  readonly #outbox: Outbox<K, A>
  readonly #up: Resolved<K, A, E>
  readonly #whenRemoved: WhenRemoved<K, A, E2, never> | undefined

  constructor(
    outbox: Outbox<K, A>,
    up: Resolved<K, A, E>,
    whenRemoved: WhenRemoved<K, A, E2, never> | undefined,
  ) {
    this.#outbox = outbox
    this.#up = up
    this.#whenRemoved = whenRemoved
  }

  readonly lookup: Resolved<K, A, E | E2 | OutboxFailed>["lookup"] = (key, previous) =>
    Effect.flatMap(this.#newest(key), (write) =>
      write === undefined ? this.#up.lookup(key, previous) : this.#given(write),
    )

  #newest(key: K): Effect.Effect<NewestWrite<K, A> | undefined, OutboxFailed> {
    return Effect.map(this.#outbox.newest([key]), (found) => found.get(key))
  }

  #given(write: NewestWrite<K, A>): ReturnType<typeof this.lookup> {
    if (Option.isNone(write.value)) return this.#removed(write.key)
    return write.isWhole ? told(write.value.value) : this.#merged(write.key)
  }

  #removed(key: K): ReturnType<typeof this.lookup> {
    const whenRemoved = this.#whenRemoved
    if (whenRemoved !== undefined) return Reach.entering(() => whenRemoved(key))
    return Effect.andThen(
      this.#outbox.urge,
      this.#when(
        key,
        (write) => write === undefined || Option.isSome(write.value),
        (write) => (write === undefined ? this.#up.lookup(key, undefined) : this.#given(write)),
      ),
    )
  }

  /** Asks the source between two looks at the outbox that show the same writes, none of them in flight. */
  #merged(key: K): ReturnType<typeof this.lookup> {
    return this.#when(
      key,
      (write) => write?.inFlight !== true,
      (before) =>
        Effect.gen({ self: this }, function* () {
          const source = yield* this.#up.lookup(key, undefined)
          const after = yield* this.#newest(key)
          if (after?.inFlight === true || after?.version !== before?.version) {
            return yield* this.#merged(key)
          }
          if (after === undefined || Option.isNone(after.value) || after.isWhole) return source
          const { value } = after.value
          const { merge, name } = this.#outbox
          return yield* Effect.try({
            try: () => merge!(source as A, value),
            catch: (cause) => new OutboxFailed({ outbox: name, cause }),
          })
        }),
    )
  }

  /** Looks again, after longer and longer pauses, until what waits is as wanted. */
  #when<B, E3>(
    key: K,
    isWanted: (write: NewestWrite<K, A> | undefined) => boolean,
    then: (write: NewestWrite<K, A> | undefined) => Effect.Effect<B, E3>,
    pause = firstOverlayPauseMillis,
  ): Effect.Effect<B, E3 | OutboxFailed> {
    return Effect.flatMap(this.#newest(key), (write) => {
      if (isWanted(write)) return then(write)
      const next = Math.min(pause * 2, longestOverlayPauseMillis)
      return Effect.andThen(
        Effect.sleep(Duration.millis(pause)),
        this.#when(key, isWanted, then, next),
      )
    })
  }

  #newestOfEach<K2 extends K>(
    keys: ReadonlyArray<K2>,
    failed: Map<K2, Answer<A, OutboxFailed>>,
  ): Effect.Effect<ReadonlyMap<K, NewestWrite<K, A>>> {
    const one = (key: K2) =>
      Effect.matchEffect(this.#newest(key), {
        onFailure: (failure) =>
          Effect.sync(() => {
            failed.set(key, Exit.fail(failure) as Answer<A, OutboxFailed>)
            return []
          }),
        onSuccess: (write) =>
          Effect.succeed(write === undefined ? [] : [[key as K, write] as const]),
      })
    return Effect.map(
      Effect.forEach(keys, one, { concurrency: "unbounded" }),
      (all) => new Map(all.flat()),
    )
  }

  readonly lookupMany = <K2 extends K>(
    keys: NonEmptyReadonlyArray<K2>,
  ): Effect.Effect<ReadonlyMap<K2, Answer<A, E | E2 | OutboxFailed>>, E | E2 | OutboxFailed> =>
    Effect.gen({ self: this }, function* () {
      const all = this.#outbox.newest(keys as NonEmptyReadonlyArray<K>)
      // What cannot be read of one key fails that key alone.
      const failed = new Map<K2, Answer<A, OutboxFailed>>()
      const found = yield* Effect.catch(all, (failure) =>
        keys.length === 1 ? Effect.fail(failure) : this.#newestOfEach(keys, failed),
      )
      const asked = keys.filter((key) => !found.has(key) && !failed.has(key))
      const own = yield* Effect.forEach(
        keys.filter((key) => found.has(key)),
        (key) =>
          Effect.map(
            Effect.exit(this.#given(found.get(key)!)),
            (exit) => [key, exit as Answer<A, E | E2 | OutboxFailed>] as const,
          ),
        { concurrency: "unbounded" },
      )
      const [first, ...others] = asked
      if (first === undefined) return new Map([...failed, ...own])
      const looked = yield* this.#up.lookupMany!([first, ...others])
      return new Map<K2, Answer<A, E | E2 | OutboxFailed>>([...looked, ...failed, ...own])
    })
}

const told = <A>(value: A): Effect.Effect<A> => Reach.entering(() => Exit.succeed(value))

export const overlaid = <Self, K, A, E, R, E2, R2>(
  self: Upstream<K, A, E, R>,
  outbox: Context.Key<Self, Outbox<K, A>>,
  whenRemoved: WhenRemoved<K, A, E2, R2> | undefined,
): Upstream<K, A, E | E2 | OutboxFailed, R | Exclude<R2, Scope.Scope> | Self> => ({
  ...Pipeable.Prototype,
  "~larder/Upstream": "~larder/Upstream",
  resolve: Effect.gen(function* () {
    const resolved = yield* self.resolve
    const up = Reach.ensureNoted(resolved)
    const context = Context.omit(Scope.Scope)(yield* Effect.context<Exclude<R2, Scope.Scope>>())
    const given =
      whenRemoved &&
      ((key: K) =>
        Effect.scoped(
          Effect.provideContext(
            whenRemoved(key) as Effect.Effect<A, E2, Exclude<R2, Scope.Scope> | Scope.Scope>,
            context as Context.Context<Exclude<R2, Scope.Scope>>,
          ),
        ))
    const { lookup, lookupMany } = new Overlay(yield* outbox, up, given)
    const outer = Reach.noted<Resolved<K, A, E | E2 | OutboxFailed>>({
      lookup,
      lookupMany: up.lookupMany && lookupMany,
      breakers: up.breakers,
    })
    setGates(outer, resolved)
    return outer
  }),
})
