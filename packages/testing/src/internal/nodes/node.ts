/** One simulated node: an application with a memory, a clock and a way to the shared tier of its own. */
import { Instrument, Larder } from "@larder/core"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { driven } from "../time/advance.ts"
import type { VirtualClock } from "../time/virtualClock.ts"
import { Life, Living } from "./life.ts"
import { NodeName } from "./nodeName.ts"
import type { NodeLarder } from "./sharing.ts"

/** One process of a node. */
interface Opened<A> {
  readonly context: Context.Context<A>
  readonly scope: Scope.Closeable
  readonly life: Life
  readonly larders: ReadonlyArray<NodeLarder>
}

/**
 * The defect of a node that does not run any more: its process was killed, or its scope has closed.
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
  /** Tells the timeline that the process was killed. */
  readonly killed: () => void
  /** Records the larders of the node. */
  readonly instrument: Instrument.Instrument
}

/** What a node has of its own. Adds to `larders` those that are made with it. */
const referencesOf = (
  {
    clock,
    instrument,
    name: node,
  }: Pick<Needs<never, never, never>, "clock" | "instrument" | "name">,
  larders: Array<NodeLarder>,
  life: Life,
): Context.Context<never> => {
  const noting: Instrument.Instrument = {
    ...instrument,
    isKilled: () => life.isDead,
    wrap: (larder, how) => {
      const recorded = instrument.wrap?.(larder, how) ?? larder
      const { stats } = recorded
      larders.push({ node, name: larder.name, tiers: how.tiers, larder: { stats } })
      return recorded
    },
  }
  const own = Context.make(Clock.Clock, clock as Clock.Clock).pipe(
    Context.add(Instrument.Instrument, noting),
    Context.add(NodeName, node),
  )
  return own as Context.Context<never>
}

/** A node that can end and begin again. */
export class SimulatedNode<A, E> {
  readonly name: string
  readonly clock: VirtualClock
  readonly #note: (text: string) => void
  readonly #killed: () => void
  readonly #open: Effect.Effect<Opened<A>, E>
  #opened: Opened<A>

  private constructor(
    { clock, killed, name, note }: Needs<A, E, never>,
    open: Effect.Effect<Opened<A>, E>,
    opened: Opened<A>,
  ) {
    this.name = name
    this.clock = clock
    this.#note = note
    this.#killed = killed
    this.#open = open
    this.#opened = opened
  }

  /** The larders of the node since it last began. */
  get larders(): ReadonlyArray<NodeLarder> {
    return this.#opened.larders
  }

  /** Opens a node, until the scope closes. */
  static make<A, E, R>(
    needs: Needs<A, E, R>,
  ): Effect.Effect<SimulatedNode<A, E>, E, Exclude<R, Scope.Scope> | Scope.Scope> {
    return Effect.gen(function* () {
      const outer = yield* Effect.scope
      const around = yield* Effect.context<Exclude<R, Scope.Scope>>()
      // What the layer needs is around it, whenever the node begins.
      const given = needs as Needs<A, E, never>
      const open = Effect.gen(function* () {
        if (outer.state._tag === "Closed") {
          const message = `the scope of the node ${needs.name} has closed: restart it within that of LarderTest.nodes`
          return yield* Effect.die(new NodeKilled({ message }))
        }
        const larders: Array<NodeLarder> = []
        const life = new Life()
        const references = referencesOf(needs, larders, life)
        needs.clock.process = life
        const release = Effect.sync(() => {
          life.release()
          if (life.isDead) needs.clock.sleeps.interrupt(life)
        })
        yield* Scope.addFinalizer(outer, release)
        // Not a child of the outer one, which would wait for a killed process to close.
        const scope = yield* Scope.make()
        const memoMap = Layer.forkMemoMapUnsafe(needs.memoMap)
        const built = yield* Layer.buildWithMemoMap(given.layer, memoMap, scope).pipe(
          Effect.provideContext(references),
          Effect.provideService(Living, life),
          Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
        )
        const context = Context.merge(built, references) as Context.Context<A>
        return { life, scope, context, larders }
      }).pipe(Effect.provideContext(around))
      const node = new SimulatedNode(given, open, yield* open)
      // Nobody else moves the clock then, and a larder waits for its tiers.
      const end = driven(node.#end, "LarderTest.nodes")
      yield* Scope.addFinalizer(outer, Effect.provideContext(end, around))
      return node
    })
  }

  /**
   * Waits while the process stands still. Dies with {@link NodeKilled} where it is dead, or dies before its
   * larder has answered.
   */
  readonly run = <B, E2, R>(effect: Effect.Effect<B, E2, R>): Effect.Effect<B, E2, Exclude<R, A>> =>
    Effect.andThen(
      Effect.suspend(() => this.#opened.life.decided),
      Effect.suspend(() => {
        const { context, life } = this.#opened
        if (!life.isDead) {
          return Effect.catchCause(Effect.provideContext(effect, context), (cause) =>
            Effect.failCause(life.isDead ? this.#killedIn(cause) : cause),
          )
        }
        const message = `the node ${this.name} was killed, so that nothing runs on it: begin it again by its \`restart\``
        return Effect.die(new NodeKilled({ message }))
      }),
    )

  /** What an effect ends with whose larder was closed since the node was killed. */
  #killedIn<E2>(cause: Cause.Cause<E2>): Cause.Cause<E2> {
    if (!(Cause.squash(cause) instanceof Larder.LarderClosed)) return cause
    const message = `the node ${this.name} was killed while this ran on it`
    return Cause.die(new NodeKilled({ message }))
  }

  /**
   * Ends the process, as one that shuts down unless it is dead, and begins another. One restart at a time: a
   * second would begin a process while the first still waits for the old one to end.
   */
  readonly restart: Effect.Effect<void, E> = Semaphore.makeUnsafe(1).withPermit(
    Effect.suspend(() => {
      this.#note("restart")
      return this.#end
    }).pipe(
      Effect.andThen(() => this.#open),
      Effect.map((opened) => {
        this.#opened = opened
      }),
    ),
  )

  /** Ends the process as one that shuts down, unless it is dead, or is killed meanwhile. */
  readonly #end: Effect.Effect<void> = Effect.suspend(() => {
    const { life, scope } = this.#opened
    if (life.isDead) return Effect.void
    life.resume()
    return Effect.flatMap(
      Effect.forkDetach(Scope.close(scope, Exit.void), { startImmediately: true }),
      (closing) => Effect.raceFirst(Fiber.join(closing), life.died),
    )
  })

  /** Ends the process at once: nothing of it reaches a tier any more, and nothing reaches it. */
  readonly kill: Effect.Effect<void> = Effect.suspend(() => {
    const { life, scope } = this.#opened
    if (life.isDead) return Effect.void
    life.kill()
    this.#killed()
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
