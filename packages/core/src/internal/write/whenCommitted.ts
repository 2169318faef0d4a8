/** Changes of the cache that belong to the caller's transaction. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { AfterCommit } from "../../AfterCommit.ts"
import type { Engine } from "../state/engine.ts"

/**
 * Runs a change once the caller's transaction has committed, at once without one. Returns its result;
 * none where it is put off. A change that is put off can fail for nobody: the larder logs it.
 */
export const whenCommitted = <A>(
  engine: Engine,
  change: (isPutOff: boolean) => Effect.Effect<A>,
): Effect.Effect<Option.Option<A>> =>
  Effect.flatMap(AfterCommit, (afterCommit) => {
    let done: Exit.Exit<A> | undefined
    let isPutOff = false
    const changed = Effect.suspend(() =>
      Effect.map(Effect.exit(change(isPutOff)), (exit) => {
        done = exit
        if (isPutOff && Exit.isFailure(exit)) warn(engine)
      }),
    )
    const asked = Effect.exit(Effect.suspend(() => afterCommit(changed)))
    return Effect.flatMap(asked, (exit) => {
      if (done !== undefined) return Effect.map(done, Option.some)
      if (Exit.isFailure(exit)) return Effect.map(outside(engine, change), Option.some)
      isPutOff = true
      return Effect.succeed(Option.none<A>())
    })
  })

/**
 * Runs the change at once. Race: the transaction has ended while the source was written, in a fiber that
 * outlived it, so that it takes no more changes and rolls none back.
 */
const outside = <A>(
  engine: Engine,
  change: (isPutOff: boolean) => Effect.Effect<A>,
): Effect.Effect<A> => {
  engine.warnings.warn(
    "outside commit",
    "a transaction has ended before a write of the source that began in it, and the cache was told at once; join the fibers that write within the transaction",
  )
  return change(false)
}

const warn = (engine: Engine): void =>
  engine.warnings.warn(
    "after commit",
    "a transaction has committed, and the cache could not be told; values from before it stay until their lifetime ends. Close larders after the last transaction",
  )
