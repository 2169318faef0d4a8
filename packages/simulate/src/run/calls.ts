/** Plays one call on a node and records what the caller gets. */
import { Larder } from "@larder/core"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Answer, Call, Change, Life, Read } from "../history/History.ts"
import type { Recorder } from "../history/Recorder.ts"
import type { ChangeStep, ReadStep } from "../plan/Plan.ts"
import type { SimulatedLarder } from "./larder.ts"
import { isLookupError } from "./source.ts"
import { numberOf, valueOf } from "./values.ts"

/** A process whose larder is called. */
export interface Caller {
  readonly life: Life
  readonly larder: SimulatedLarder | undefined
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
}

export interface Running<N extends Caller> {
  readonly call: Call
  readonly node: N
  readonly fiber: Fiber.Fiber<unknown, unknown>
}

const failed = (key: string, cause: Cause.Cause<unknown>): Answer => {
  const error = Cause.squash(cause)
  if (isLookupError(error)) return { _tag: "Failed", key, lookup: error.lookup }
  if (error instanceof Larder.LarderClosed) return { _tag: "Closed", key }
  const isTimeout = typeof error === "object" && error !== null && "_tag" in error
  if (isTimeout && error._tag === "LookupTimeout") return { _tag: "Failed", key, lookup: undefined }
  return { _tag: "Other", key, text: Cause.pretty(cause) }
}

const unknown = { freshness: undefined, tier: undefined } as const

const answersOf = (
  larder: SimulatedLarder,
  step: ReadStep,
): Effect.Effect<ReadonlyArray<Answer>, unknown> => {
  switch (step._tag) {
    case "get": {
      const { check, key, maxAge, stale } = step
      return Effect.map(larder.get(key, { check, maxAge, stale }), (value) => [
        { _tag: "Value", key, value: numberOf(value), ...unknown },
      ])
    }
    case "getWithMeta": {
      const { check, key } = step
      return Effect.map(larder.getWithMeta(key, { check }), ({ entry, freshness, tier, value }) => [
        {
          _tag: "Value",
          key,
          value: numberOf(value),
          freshness: freshness._tag,
          tier,
          version: entry.version,
        },
      ])
    }
    case "refresh":
      return Effect.map(larder.refresh(step.key), (value) => [
        { _tag: "Value", key: step.key, value: numberOf(value), ...unknown },
      ])
    case "read":
      return Effect.map(larder.read(step.key), ({ entry, freshness, tier }) =>
        entry === undefined || freshness._tag === "Missing"
          ? [{ _tag: "Nothing", key: step.key }]
          : [
              {
                _tag: "Value",
                key: step.key,
                value: numberOf(entry.value),
                freshness: freshness._tag,
                tier,
                version: entry.version,
              },
            ],
      )
    case "getMany":
      return Effect.map(larder.getMany(step.keys), (exits) =>
        step.keys.map((key): Answer => {
          const exit = exits.get(key)
          if (exit === undefined) return { _tag: "Other", key, text: "no exit" }
          return Exit.isSuccess(exit)
            ? { _tag: "Value", key, value: numberOf(exit.value), ...unknown }
            : failed(key, exit.cause)
        }),
      )
  }
}

const isClosed = (cause: Cause.Cause<unknown>): boolean =>
  Cause.squash(cause) instanceof Larder.LarderClosed

export const startRead = <N extends Caller>(
  recorder: Recorder,
  node: N,
  step: ReadStep,
  isFinal: boolean,
): Running<N> => {
  const keys = step._tag === "getMany" ? step.keys : [step.key]
  const call = recorder.read({
    _tag: "Read",
    op: step._tag,
    life: node.life,
    keys,
    maxAge: step._tag === "get" ? step.maxAge : undefined,
    allowStale: step._tag !== "get" || step.stale !== "never",
    check: "check" in step && step.check === true,
    isFinal,
  })
  const fiber = node.run(answersOf(node.larder!, step))
  fiber.addObserver((exit) => readEnded(recorder, call, exit))
  return { call, node, fiber }
}

const readEnded = (
  recorder: Recorder,
  call: Read,
  exit: Exit.Exit<ReadonlyArray<Answer>, unknown>,
): void => {
  if (Exit.isSuccess(exit)) return recorder.answered(call, exit.value)
  recorder.answered(
    call,
    call.keys.map((key) => failed(key, exit.cause)),
  )
}

const acknowledged = (larder: SimulatedLarder, step: ChangeStep, value: number) => {
  switch (step._tag) {
    case "set":
      return larder.set(step.key, valueOf(value))
    case "expire":
      return larder.expire(step.key)
    case "remove":
      return larder.remove(step.key)
    case "invalidateTags":
      return larder.invalidateTags(step.tags, { keepStale: step.keepStale })
    case "clear":
      return larder.clear({ keepStale: step.keepStale })
  }
}

export const startChange = <N extends Caller>(
  recorder: Recorder,
  node: N,
  step: ChangeStep,
  tags: ReadonlyArray<string>,
): Running<N> => {
  const key = "key" in step ? step.key : undefined
  const value = step._tag === "set" ? recorder.value(step.key, tags) : undefined
  const call = recorder.change({
    _tag: "Change",
    op: step._tag,
    life: node.life,
    key,
    tags: step._tag === "invalidateTags" ? step.tags : [],
    keepStale: "keepStale" in step ? step.keepStale : step._tag === "expire",
    value,
  })
  const fiber = node.run(acknowledged(node.larder!, step, value ?? 0))
  fiber.addObserver((exit) => changeEnded(recorder, call, exit))
  return { call, node, fiber }
}

const changeEnded = (
  recorder: Recorder,
  call: Change,
  exit: Exit.Exit<Larder.Ack, unknown>,
): void => {
  if (Exit.isSuccess(exit)) {
    call.settled = exit.value.settled
    call.version = exit.value.version
  } else {
    call.isClosed = isClosed(exit.cause)
    call.failure = Cause.pretty(exit.cause)
  }
  call.end = recorder.moment()
}
