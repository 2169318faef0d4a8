/** Plays one call that writes the source, or changes what is stored, and records how it ends. */
import { Larder, type LarderEvent } from "@larder/core"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import type { Change, Transaction } from "../history/History.ts"
import type { Recorder } from "../history/Recorder.ts"
import { counterKey, type WriteStep, type Writing } from "../plan/Plan.ts"
import type { Caller, Running } from "./calls.ts"
import type { SimulatedLarder } from "./larder.ts"
import type { Source } from "./source.ts"
import { numberOf, type SimulatedValue, valueOf } from "./values.ts"

/** The error of an effect that writes the source. */
class WriteFailed {
  readonly _tag = "WriteFailed"
  readonly isUntouched: boolean

  constructor(isUntouched: boolean) {
    this.isUntouched = isUntouched
  }
}

const untouched = (error: unknown): boolean => error instanceof WriteFailed && error.isUntouched

/** What the effect of a call does. */
export interface Doing {
  readonly recorder: Recorder
  readonly source: Source
  readonly call: Change
  /** Its effect has written the source. */
  readonly wrote: (key: string) => void
}

const pause = (millis: number): Effect.Effect<void> =>
  millis === 0 ? Effect.void : Effect.sleep(millis)

/** The call does something from now on. */
const begins = <A, E>({ call }: Doing, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    call.isIdle = false
    return effect
  })

/** Runs `write` at the moment of the write, or ends before it. */
const saved = <A>(
  { ending, millis, rest }: Writing,
  write: () => A,
): Effect.Effect<A, WriteFailed> => {
  const before = pause(millis)
  switch (ending) {
    case "failsBefore":
    case "leavesUntouched": {
      const failure = new WriteFailed(ending === "leavesUntouched")
      return Effect.andThen(before, Effect.fail(failure))
    }
    default: {
      const written = Effect.andThen(before, Effect.tap(Effect.sync(write), pause(rest)))
      if (ending === "done") return written
      const end = ending === "dies" ? Effect.die("dies") : Effect.fail(new WriteFailed(false))
      return Effect.andThen(written, end)
    }
  }
}

const made = (
  { call, recorder, source, wrote }: Doing,
  key: string,
  seen: number | undefined,
  isPure: boolean,
): number => {
  if (!isPure) wrote(key)
  const value = recorder.value(key, source.tagsOf(key))
  recorder.run(call, key, seen, value)
  return value
}

const seenIn = (current: Option.Option<SimulatedValue>): number | undefined =>
  Option.match(current, { onNone: () => undefined, onSome: numberOf })

/** Whether the caller got what it wanted; false where everything is as it was. */
export const played = (
  larder: SimulatedLarder,
  step: WriteStep,
  doing: Doing,
): Effect.Effect<boolean, unknown> => {
  switch (step._tag) {
    case "around": {
      const { before, key, require } = step
      const written = saved(step, () => doing.wrote(key))
      const around = written.pipe(larder.around(key, { before, require, untouched }))
      return begins(doing, Effect.as(around, true))
    }
    case "through": {
      const { key } = step
      const written = saved(step, () => valueOf(made(doing, key, undefined, false)))
      return begins(doing, Effect.as(written.pipe(larder.through(key, { untouched })), true))
    }
    case "update": {
      const { isPure, key } = step
      const updated = larder.update(
        key,
        (current) =>
          begins(
            doing,
            saved(step, () => Option.some(valueOf(made(doing, key, seenIn(current), isPure)))),
          ),
        { untouched },
      )
      return Effect.as(updated, true)
    }
    case "setIfPresent":
      return begins(doing, larder.setIfPresent(step.key, valueOf(doing.call.value!)))
    case "count":
      return Effect.as(
        larder.update(counterKey, (current) =>
          begins(
            doing,
            Effect.sync(() => Option.some(valueOf(made(doing, counterKey, seenIn(current), true)))),
          ),
        ),
        true,
      )
  }
}

const isExpected = (error: unknown): boolean =>
  error === "dies" ||
  error instanceof WriteFailed ||
  error instanceof Larder.Contended ||
  error instanceof Larder.NotSettled

export const ended = (
  call: Change,
  expiresBefore: boolean,
  exit: Exit.Exit<boolean, unknown>,
): void => {
  if (Exit.isSuccess(exit)) {
    call.isIdle = !exit.value
    call.isDone = exit.value
    call.keepStale = false
    return
  }
  const error = Cause.squash(exit.cause)
  // An `around` that has ended freshness before has changed something all the same.
  call.isIdle ||= untouched(error) && !expiresBefore
  if (Cause.hasInterruptsOnly(exit.cause) || isExpected(error)) return
  call.isClosed = error instanceof Larder.LarderClosed
  call.failure = Cause.pretty(exit.cause)
}

/** What the event of the change says of it: an acknowledgement for who listens. */
const heard = (
  larder: SimulatedLarder,
  call: Change,
  expiresBefore: boolean,
  effect: Effect.Effect<boolean, unknown>,
): Effect.Effect<boolean, unknown> =>
  Effect.scoped(
    Effect.flatMap(larder.subscribeTo({ hits: "none" }), (subscription) =>
      Effect.onExit(effect, (exit) =>
        Effect.map(PubSub.takeUpTo(subscription, Infinity), (events) => {
          ended(call, expiresBefore, exit)
          told(call, events)
        }),
      ),
    ),
  )

const start = <N extends Caller>(
  recorder: Recorder,
  node: N,
  call: Change,
  effect: Effect.Effect<boolean, unknown>,
  {
    expiresBefore = false,
    leavesAfter,
  }: { expiresBefore?: boolean; leavesAfter?: number | undefined } = {},
): Running<N> => {
  // Until its effect has run, it has done nothing.
  call.isIdle = true
  const all = heard(node.larder!, call, expiresBefore, effect)
  const left: Effect.Effect<unknown, unknown> =
    leavesAfter === undefined ? all : Effect.timeoutOption(all, leavesAfter)
  const fiber = node.run(left)
  fiber.addObserver(() => {
    call.end = recorder.moment()
  })
  return { call, node, fiber }
}

export const begun = (
  recorder: Recorder,
  node: Caller,
  op: Change["op"],
  key: string,
  more: { readonly value?: number | undefined; readonly transaction?: Transaction } = {},
): Change =>
  recorder.change({
    _tag: "Change",
    op,
    life: node.life,
    key,
    tags: [],
    keepStale: true,
    value: undefined,
    ...more,
  })

/** By its event: an acknowledgement for who listens. */
export const told = (call: Change, events: ReadonlyArray<LarderEvent.LarderEvent>): void => {
  const event = events.findLast((one) => one._tag === "Changed" && one.key === call.key)
  if (event?._tag !== "Changed") return
  call.settled = event.settled
  call.version = event.version
}

export const expiresBefore = (step: WriteStep): boolean =>
  step._tag === "around" && step.before === "expire"

export const startWrite = <N extends Caller>(
  recorder: Recorder,
  source: Source,
  node: N,
  step: WriteStep,
): Running<N> => {
  const key = step._tag === "count" ? counterKey : step.key
  const op = step._tag === "count" ? "update" : step._tag
  const value = op === "setIfPresent" ? recorder.value(key, source.tagsOf(key)) : undefined
  const call = begun(recorder, node, op, key, { value })
  const wrote = (of: string) => source.wrote(of, recorder.wrote(call))
  const effect = played(node.larder!, step, { recorder, source, call, wrote })
  const leavesAfter = step._tag === "setIfPresent" ? undefined : step.leavesAfter
  return start(recorder, node, call, effect, { expiresBefore: expiresBefore(step), leavesAfter })
}

/** A function that leaves things as they are sees what the arbiter has. */
export const startCertified = <N extends Caller>(
  recorder: Recorder,
  node: N,
  key: string,
): Running<N> => {
  const call = begun(recorder, node, "update", key)
  const seen = node.larder!.update(key, (current) =>
    Effect.sync(() => {
      recorder.run(call, key, seenIn(current), undefined)
      return Option.none<SimulatedValue>()
    }),
  )
  return start(recorder, node, call, Effect.as(seen, false))
}
