/** A larder whose calls and answers are recorded. */
import type { Instrument, Larder } from "@larder/core"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { isIterable } from "effect/Predicate"
import type { Answer, Method, Served } from "./record.ts"
import type { Place, Recorder } from "./recorder.ts"

interface Recording {
  readonly recorder: Recorder
  readonly place: Place
  readonly keyOf: Instrument.Made["keyOf"]
}

/**
 * `get` is recorded as `getWithMeta`, which makes the same decisions and tells where the value came
 * from.
 */
export const recorded = <K, A, E>(
  larder: Larder.Larder<K, A, E>,
  recording: Recording,
): Larder.Larder<K, A, E> => {
  const textOf = (key: K): string => recording.keyOf(key) ?? "an invalid key"
  const call = <B, E2>(
    method: Method,
    keys: ReadonlyArray<string>,
    effect: Effect.Effect<B, E2>,
    answerOf: (result: B) => ReadonlyArray<Answer>,
  ): Effect.Effect<B, E2> =>
    Effect.suspend(() => {
      const called = recording.recorder.begin(recording.place, method, keys)
      return Effect.onExit(effect, (exit) =>
        Effect.sync(() => {
          const answers = Exit.isSuccess(exit)
            ? answerOf(exit.value)
            : [failed(keys[0] ?? "", exit.cause)]
          recording.recorder.end(called, answers)
        }),
      )
    })
  const change = <E2>(
    method: Method,
    keys: ReadonlyArray<string>,
    effect: Effect.Effect<Larder.Ack, E2>,
  ) => call(method, keys, effect, (ack) => [{ _tag: "Changed", ack }])
  const asked = (method: "get" | "getWithMeta", key: K, options: Larder.GetOptions | undefined) =>
    Effect.suspend(() => {
      const k = textOf(key)
      return call(method, [k], larder.getWithMeta(key, options), (meta) => [served(k, meta)])
    })
  /** What memory has, by key. */
  const inMemory: Effect.Effect<ReadonlyMap<string, Meta>> = Effect.zipWith(
    larder.entries,
    Clock.currentTimeMillis,
    (entries, now) =>
      new Map(
        entries.map(({ entry, freshness, key }) => {
          const age = Math.max(0, now - entry.storedAt)
          return [textOf(key), { value: entry.value, freshness, entry, tier: undefined, age }]
        }),
      ),
  )
  return {
    ...larder,
    get: (key, options) => Effect.map(asked("get", key, options), ({ value }) => value),
    getWithMeta: (key, options) => asked("getWithMeta", key, options),
    getMany: (keys) =>
      Effect.suspend(() => {
        // The larder refuses it, with an error that says why.
        if (typeof keys === "string" || !isIterable(keys)) return larder.getMany(keys)
        const all = [...keys]
        const texts = all.map(textOf)
        const many = Effect.zip(larder.getMany(all), inMemory)
        const both = call("getMany", texts, many, ([exits, entries]) =>
          [...exits].map(([key, exit]) => {
            const k = textOf(key)
            if (Exit.isFailure(exit)) return failed(k, exit.cause)
            const known = entries.get(k)
            // The same value in memory is the one that the caller got. `NaN` is a value too.
            return known !== undefined && Object.is(known.value, exit.value)
              ? served(k, known)
              : bare(k, exit.value)
          }),
        )
        return Effect.map(both, ([exits]) => exits)
      }),
    refresh: (key) =>
      Effect.suspend(() => {
        const k = textOf(key)
        return call("refresh", [k], larder.refresh(key), (value) => [bare(k, value)])
      }),
    read: (key) =>
      Effect.suspend(() =>
        call("read", [textOf(key)], larder.read(key), ({ freshness, tier }) => [
          {
            _tag: "Done",
            text: tier === undefined ? freshness._tag : `${freshness._tag} in ${tier}`,
          },
        ]),
      ),
    set: (key, value, options) =>
      Effect.suspend(() => change("set", [textOf(key)], larder.set(key, value, options))),
    expire: (key) => Effect.suspend(() => change("expire", [textOf(key)], larder.expire(key))),
    remove: (key) => Effect.suspend(() => change("remove", [textOf(key)], larder.remove(key))),
    invalidateTags: (tags, options) =>
      Effect.suspend(() => {
        if (!isIterable(tags)) return larder.invalidateTags(tags, options)
        const all = typeof tags === "string" ? [tags] : [...tags]
        return change("invalidateTags", all, larder.invalidateTags(all, options))
      }),
    clear: (options) => Effect.suspend(() => change("clear", [], larder.clear(options))),
    invalidateWhen: (predicate, options) =>
      Effect.suspend(() =>
        call("invalidateWhen", [], larder.invalidateWhen(predicate, options), () => [
          { _tag: "Done", text: "" },
        ]),
      ),
  }
}

const failed = (key: string, cause: Cause.Cause<unknown>): Answer =>
  Cause.hasInterruptsOnly(cause)
    ? { _tag: "Left" }
    : { _tag: "Failed", key, error: Cause.squash(cause), isDefect: !Cause.hasFails(cause) }

/** A value without details. */
const bare = (key: string, value: unknown): Served => ({
  _tag: "Served",
  key,
  value,
  freshness: undefined,
  tier: undefined,
  age: undefined,
  loadMillis: undefined,
  version: undefined,
  asOf: undefined,
  tags: [],
})

type Meta = Pick<Larder.WithMeta<unknown>, "value" | "freshness" | "entry"> & {
  readonly tier: string | undefined
  readonly age: number
}

const served = (key: string, { age, entry, freshness, tier, value }: Meta): Served => ({
  _tag: "Served",
  key,
  value,
  freshness: freshness._tag,
  tier,
  age,
  loadMillis: entry.loadMillis,
  version: entry.version,
  asOf: entry.asOf,
  tags: entry.tags,
})
