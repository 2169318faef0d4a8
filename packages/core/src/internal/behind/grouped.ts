/** Requests of the same moment share one trip; while a trip is under way, the next ones wait for the next. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"

/** For callers of something that is closed: they were not interrupted themselves. */
const closed = Cause.die(new Error("the outbox is closed: the scope of its layer has ended"))

interface Asked<Q, A, E> {
  readonly request: Q
  readonly resume: (exit: Exit.Exit<A, E>) => void
}

/**
 * Makes a function that asks one thing out of `run`, which answers many, in their order. `run` runs in the
 * context and the scope in which this is made.
 */
export const grouped = <Q, A, E>(
  max: number,
  run: (requests: ReadonlyArray<Q>) => Effect.Effect<ReadonlyArray<A>, E>,
): Effect.Effect<(request: Q) => Effect.Effect<A, E>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const context = Context.omit(Scope.Scope)(yield* Effect.context())
    let waiting: Array<Asked<Q, A, E>> = []
    let isRunning = false
    const fail = (asked: ReadonlyArray<Asked<Q, A, E>>, cause: Cause.Cause<E>) => {
      for (const { resume } of asked) resume(Exit.failCause(cause))
    }
    const trips = Effect.gen(function* () {
      // The other callers of this turn of the event loop come along.
      yield* Effect.yieldNow
      while (waiting.length > 0) {
        const group = waiting.slice(0, max)
        waiting = waiting.slice(max)
        const exit = yield* Effect.onInterrupt(
          Effect.exit(run(group.map(({ request }) => request))),
          () => Effect.sync(() => fail(group, closed)),
        )
        if (Exit.isFailure(exit)) fail(group, exit.cause)
        else for (const [i, { resume }] of group.entries()) resume(Exit.succeed(exit.value[i]!))
      }
      // In the step that saw nothing waiting. Race: the fiber yields before a finalizer runs, and a request
      // that comes meanwhile would find trips under way that end without it.
      isRunning = false
    }).pipe(
      Effect.onInterrupt(() =>
        Effect.sync(() => {
          isRunning = false
          fail(waiting, closed)
          waiting = []
        }),
      ),
    )
    return (request) =>
      Effect.callback<A, E>((resume) => {
        if (scope.state._tag === "Closed") return resume(Exit.failCause(closed))
        const asked: Asked<Q, A, E> = { request, resume }
        waiting.push(asked)
        if (!isRunning) {
          isRunning = true
          Fiber.runIn(Effect.runForkWith(context)(trips), scope)
        }
        return Effect.sync(() => {
          waiting = waiting.filter((other) => other !== asked)
        })
      })
  })
