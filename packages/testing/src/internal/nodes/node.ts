/** One simulated node: an application with a memory, a clock and a way to the shared tier of its own. */
import { Instrument } from "@larder/core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import type { VirtualClock } from "../time/virtualClock.ts"
import { Life, Living } from "./life.ts"
import { NodeName } from "./nodeName.ts"
import type { Stacked } from "./sharing.ts"

/** One process of a node. */
interface Opened<A> {
  readonly context: Context.Context<A>
  readonly scope: Scope.Closeable
  readonly life: Life
}

/**
 * The defect of running something on a node whose process was killed.
 *
 * **Example**
 *
 * ```ts
 * import { LarderTest } from "@larder/testing"
 * import * as assert from "node:assert"
 *
 * const error = new LarderTest.NodeKilled({ message: "the node A was killed" })
 * assert.strictEqual(error._tag, "NodeKilled")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class NodeKilled extends Schema.TaggedError<NodeKilled>()("NodeKilled", {
  message: Schema.String,
}) {}

export interface Needs<A, E, R> {
  readonly name: string
  readonly clock: VirtualClock
  readonly layer: Layer.Layer<A, E, R>
  /** What all nodes share; each opening of the node has a map of its own below it. */
  readonly memoMap: Layer.MemoMap
  /** Notes in the timeline what is done to the node. */
  readonly note: (text: string) => void
  /** Records the larders of the node. */
  readonly instrument: Instrument.Instrument
}

/** A node that can end and begin again. */
export class SimulatedNode<A, E> {
  readonly name: string
  readonly clock: VirtualClock
  /** The larders of the node, since it last began. */
  stacks: ReadonlyArray<Stacked> = []
  readonly #note: (text: string) => void
  readonly #open: Effect.Effect<Opened<A>, E>
  #opened: Opened<A>

  private constructor(
    { clock, name, note }: Needs<A, E, never>,
    open: Effect.Effect<Opened<A>, E>,
    opened: Opened<A>,
  ) {
    this.name = name
    this.clock = clock
    this.#note = note
    this.#open = open
    this.#opened = opened
  }

  /** Opens a node, until the scope closes. */
  static make<A, E, R>(
    needs: Needs<A, E, R>,
  ): Effect.Effect<SimulatedNode<A, E>, E, Exclude<R, Scope.Scope> | Scope.Scope> {
    return Effect.gen(function* () {
      let stacks: Array<Stacked> = []
      const outer = yield* Effect.scope
      const around = yield* Effect.context<Exclude<R, Scope.Scope>>()
      const { instrument } = needs
      const noting: Instrument.Instrument = {
        ...instrument,
        wrap: (larder, how) => {
          const recorded = instrument.wrap?.(larder, how) ?? larder
          const stats = recorded.stats
          stacks.push({ node: needs.name, name: larder.name, tiers: how.tiers, larder: { stats } })
          return recorded
        },
      }
      const references = Context.make(Clock.Clock, needs.clock as Clock.Clock).pipe(
        Context.add(Instrument.Instrument, noting),
        Context.add(NodeName, needs.name),
      )
      const open = Effect.gen(function* () {
        stacks = []
        const life = new Life()
        needs.clock.running = life.running
        yield* Scope.addFinalizer(outer, Effect.sync(life.release))
        // Not a child of the outer one, which would wait for a killed process to close.
        const scope = yield* Scope.make()
        const memoMap = Layer.forkMemoMapUnsafe(needs.memoMap)
        const built = yield* Layer.buildWithMemoMap(needs.layer, memoMap, scope).pipe(
          Effect.provideService(Living, life),
          Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
        )
        return { life, scope, context: Context.merge(built, references) as Context.Context<A> }
      }).pipe(Effect.provideContext(Context.merge(around, references))) as Effect.Effect<
        Opened<A>,
        E
      >
      const node = new SimulatedNode(needs as Needs<A, E, never>, open, yield* open)
      yield* Scope.addFinalizer(outer, node.#end)
      node.stacks = stacks
      return node
    })
  }

  /** Waits while the process stands still. Dies with {@link NodeKilled} where it is dead. */
  readonly run = <B, E2, R>(effect: Effect.Effect<B, E2, R>): Effect.Effect<B, E2, Exclude<R, A>> =>
    Effect.andThen(
      Effect.suspend(() => this.#opened.life.decided),
      Effect.suspend(() => {
        const { context, life } = this.#opened
        if (!life.isDead) return Effect.provideContext(effect, context)
        const message = `the node ${this.name} was killed, so that nothing runs on it: begin it again by its \`restart\``
        return Effect.die(new NodeKilled({ message }))
      }),
    )

  /** Ends the process, as one that shuts down unless it is dead, and begins another. */
  readonly restart: Effect.Effect<void, E> = Effect.suspend(() => {
    this.#note("restart")
    return this.#end
  }).pipe(
    Effect.andThen(() => this.#open),
    Effect.map((opened) => {
      this.#opened = opened
    }),
  )

  /** Ends the process as one that shuts down, unless it is dead. */
  readonly #end: Effect.Effect<void> = Effect.suspend(() => {
    const { life, scope } = this.#opened
    if (life.isDead) return Effect.void
    life.resume()
    return Scope.close(scope, Exit.void)
  })

  /** Ends the process at once: nothing of it reaches a tier any more, and nothing reaches it. */
  readonly kill: Effect.Effect<void> = Effect.suspend(() => {
    const { life, scope } = this.#opened
    if (life.isDead) return Effect.void
    life.kill()
    this.#note("killed")
    // Its fibers end in the background: they wait for tiers in vain, at most for `closeTimeout`.
    return Effect.asVoid(Effect.forkDetach(Scope.close(scope, Exit.void)))
  })

  readonly pause: Effect.Effect<void> = Effect.sync(() => {
    const { life } = this.#opened
    if (life.isDead) return
    life.pause()
    this.#note("paused")
  })

  readonly resume: Effect.Effect<void> = Effect.sync(() => {
    const { life } = this.#opened
    if (life.isDead) return
    this.#note("resumed")
    life.resume()
  })
}
