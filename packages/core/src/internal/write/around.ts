/**
 * `around`: an effect that changes the source. Afterwards the keys are removed and the tags marked, also
 * where nobody knows whether the source has changed; then stale values may still be served if upstream
 * fails.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { NotSettled } from "../../LarderError.ts"
import { keysInvalidatedAtOnce } from "../runtime/limits.ts"
import type { Engine } from "../state/engine.ts"
import type { Ack } from "./ack.ts"
import { expire, remove } from "./removeExpire.ts"
import { openWrite } from "./openWrite.ts"
import { isUntouched, type Untouched } from "./untouched.ts"
import { mark } from "./invalidate.ts"
import { tellChanged } from "./tellChanged.ts"
import { whenCommitted } from "./whenCommitted.ts"

/**
 * What a write of the source changes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Target<out K> {
  readonly keys?: ReadonlyArray<K> | undefined
  /** A string is one tag. */
  readonly tags?: string | ReadonlyArray<string> | undefined
}

/**
 * Options of one `around`.
 *
 * @category options
 * @since 0.1.0
 */
export interface AroundOptions<out Q extends "sent" | "settled" = "sent" | "settled"> {
  /**
   * What happens before the effect runs. `"expire"` ends the freshness of the values: a process that dies
   * between the change of the source and that of the cache leaves no old value fresh. Inside a
   * transaction it comes at the commit, as all changes do. Default `"nothing"`.
   */
  readonly before?: "nothing" | "expire" | undefined
  /**
   * Whether the caller must know that all tiers have the changes: `"settled"` fails with `NotSettled`
   * where a tier has not. Inside a transaction it is logged, since the tiers follow after the commit.
   * Default `"sent"`.
   */
  readonly require?: Q | undefined
  /**
   * Whether values with one of the tags may still be served when upstream fails, once the effect has
   * succeeded. Give `false` where the effect deletes what nobody may see again. The keys are removed
   * anyway. Default `true`.
   */
  readonly keepStale?: boolean | undefined
  /**
   * Whether an error says that the source has not changed. After any other failure nobody knows, and the
   * keys are expired. Default: no error says so.
   */
  readonly untouched?: ((error: unknown) => boolean) | undefined
}

/** The keys and tags of a target, checked. */
export interface Targeted {
  readonly keys: ReadonlyArray<readonly [k: string, key: unknown]>
  readonly tags: ReadonlyArray<string>
}

/** The options of `around`, checked. */
export interface Checked {
  readonly expiresBefore: boolean
  readonly requiresSettled: boolean
  readonly keepsStale: boolean
  readonly untouched: Untouched | undefined
}

/** What becomes of a target: of each key, and of the values with its tags when upstream fails. */
interface Change {
  readonly ofKey: typeof remove
  readonly keepsStale: boolean
}

const doubted: Change = { ofKey: expire, keepsStale: true }

export const around = <A, E, R>(
  engine: Engine,
  target: Targeted,
  { expiresBefore, keepsStale, requiresSettled, untouched }: Checked,
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E | NotSettled, R> => {
  const write = Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      if (expiresBefore) yield* whenCommitted(engine, () => changeAll(engine, target, doubted))
      const exit = yield* Effect.exit(restore(effect))
      if (isUntouched(engine, exit, untouched)) return yield* exit
      const change = Exit.isSuccess(exit) ? { ofKey: remove, keepsStale } : doubted
      const acks = yield* whenCommitted(engine, (isPutOff) =>
        Effect.tap(changeAll(engine, target, change), (all) =>
          Effect.sync(() => {
            if (isPutOff && requiresSettled && pendingOf(all).length > 0) warn(engine)
          }),
        ),
      )
      if (Exit.isSuccess(exit) && requiresSettled && Option.isSome(acks)) {
        const pending = pendingOf(acks.value)
        if (pending.length > 0) {
          return yield* new NotSettled({ larder: engine.settings.name, pending })
        }
      }
      return yield* exit
    }),
  )
  return openWrite(
    engine,
    write,
    Effect.suspend(() => changeAll(engine, target, doubted)),
  )
}

const changeAll = (
  engine: Engine,
  { keys, tags }: Targeted,
  { keepsStale, ofKey }: Change,
): Effect.Effect<ReadonlyArray<Ack>> => {
  const each = Effect.forEach(keys, ([k, key]) => ofKey(engine, key, k), {
    concurrency: keysInvalidatedAtOnce,
  })
  if (tags.length === 0) return each
  const marked = tellChanged(engine, { operation: "tags", tags }, mark(engine, tags, keepsStale))
  return Effect.zipWith(each, marked, (acks, ack) => [...acks, ack], { concurrent: true })
}

const pendingOf = (acks: ReadonlyArray<Ack>): ReadonlyArray<string> => [
  ...new Set(acks.flatMap(({ pending }) => pending)),
]

const warn = (engine: Engine): void =>
  engine.warnings.warn(
    "around in a transaction",
    'a transaction has committed, and not all tiers have its changes yet; they follow once the tiers answer. require: "settled" cannot fail a caller whose transaction has ended',
  )
