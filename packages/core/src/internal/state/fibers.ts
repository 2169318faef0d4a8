/** The fibers of one larder, by how closing treats them. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

type AnyFiber = Fiber.Fiber<unknown, unknown>

export class Fibers {
  readonly #context: Context.Context<never>
  /** Interrupted when the larder closes. */
  readonly running = new Set<AnyFiber>()
  /** Waited for when the larder closes. */
  readonly awaited = new Set<AnyFiber>()
  /** Interrupted earlier, and not ended yet. */
  readonly abandoned = new Set<AnyFiber>()
  #isClosed = false

  constructor(context: Context.Context<never>) {
    this.#context = context
  }

  /** Runs an effect at once; the caller ends it. */
  start<A, E>(effect: Effect.Effect<A, E>, context = this.#context): Fiber.Fiber<A, E> {
    return Effect.runForkWith(context)(effect)
  }

  /** Runs an effect at once; closing the larder interrupts it. */
  fork<A, E>(effect: Effect.Effect<A, E>, context = this.#context): Fiber.Fiber<A, E> {
    const fiber = this.start(effect, context)
    this.own(fiber)
    return fiber
  }

  /** Runs an effect at once; closing the larder waits for it. */
  forkAwaited<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> {
    const fiber = this.start(effect)
    track(fiber, this.awaited)
    return fiber
  }

  /** Has closing the larder interrupt a fiber. */
  own(fiber: AnyFiber): void {
    track(fiber, this.running)
    // Race: work that closing waits for, or a message, begins something new.
    if (this.#isClosed) fiber.interruptUnsafe()
  }

  /** Interrupts what runs, and what begins from now on. */
  close(): void {
    this.#isClosed = true
    for (const fiber of this.running) fiber.interruptUnsafe()
  }

  /** Interrupts a fiber without waiting for its end, also when the larder closes. */
  abandon(fiber: AnyFiber, annotations?: Context.Context<never>): void {
    fiber.interruptUnsafe(undefined, annotations)
    this.running.delete(fiber)
    track(fiber, this.abandoned)
  }
}

const track = (fiber: AnyFiber, among: Set<AnyFiber>): void => {
  if (fiber.pollUnsafe() !== undefined) return
  among.add(fiber)
  fiber.addObserver(() => among.delete(fiber))
}
