/** Whether the process of a node runs, stands still, or is dead. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"

export class Life {
  #isDead = false
  #isReleased = false
  /** Closed while the process stands still. */
  #gate: Latch.Latch | undefined
  #received: Array<() => void> = []
  readonly #released = Latch.makeUnsafe()
  readonly #died = Latch.makeUnsafe()

  get isDead(): boolean {
    return this.#isDead
  }

  kill(): void {
    this.#isDead = true
    this.#received = []
    this.#open()
    this.#died.openUnsafe()
  }

  /** Waits until the process is dead. */
  readonly died: Effect.Effect<void> = this.#died.await

  pause(): void {
    this.#gate ??= Latch.makeUnsafe()
  }

  resume(): void {
    const received = this.#received
    this.#received = []
    this.#open()
    for (const task of received) task()
  }

  #open(): void {
    this.#gate?.openUnsafe()
    this.#gate = undefined
  }

  /** Waits while the process stands still, until it goes on or dies. */
  readonly decided: Effect.Effect<void> = Effect.suspend(() =>
    this.#gate === undefined ? Effect.void : Effect.andThen(this.#gate.await, this.decided),
  )

  /** Waits while the process stands still. Where it is dead, nothing goes on after it. */
  readonly running: Effect.Effect<void> = Effect.andThen(
    this.decided,
    Effect.suspend(() =>
      this.#isDead ? Effect.andThen(this.#released.await, Effect.interrupt) : Effect.void,
    ),
  )

  get isCutOff(): boolean {
    return this.#isDead && this.#isReleased
  }

  /** Ends once the process is dead and what waits in it is released. */
  readonly cutOff: Effect.Effect<void> = Effect.andThen(this.died, this.#released.await)

  /** Lets what still waits in a dead process end: at the end of the test, which would wait for it. */
  readonly release = (): void => {
    this.#isReleased = true
    this.#released.openUnsafe()
  }

  /** Applies what arrives, in its order, once the process runs. */
  receives(task: () => void): void {
    if (this.#isDead) return
    if (this.#gate === undefined) task()
    else this.#received.push(task)
  }
}

/** The process that a tier is opened for. By default one that always runs. */
export const Living = Context.Reference<Life>("@larder/testing/Life", {
  defaultValue: () => new Life(),
})
