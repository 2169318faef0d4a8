/** One simulated node: an application with a memory, a clock and a way to the shared tier of its own. */
import { Instrument } from "@larder/core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { VirtualClock } from "../time/virtualClock.ts"
import { NodeName } from "./nodeName.ts"
import type { Stacked } from "./sharing.ts"

interface Opened<A> {
  readonly context: Context.Context<A>
  readonly scope: Scope.Closeable
}

export interface Needs<A, E, R> {
  readonly name: string
  readonly clock: VirtualClock
  readonly layer: Layer.Layer<A, E, R>
  /** What all nodes share; each opening of the node has a map of its own below it. */
  readonly memoMap: Layer.MemoMap
  readonly instrument: (
    made: (larder: string, how: Instrument.Made) => void,
  ) => Instrument.Instrument
}

/** A node that can end and begin again. */
export class SimulatedNode<A, E> {
  readonly name: string
  readonly clock: VirtualClock
  /** The larders of the node, since it last began. */
  stacks: ReadonlyArray<Stacked> = []
  readonly #open: Effect.Effect<Opened<A>, E>
  #opened: Opened<A>

  private constructor(
    { clock, name }: Needs<A, E, never>,
    open: Effect.Effect<Opened<A>, E>,
    opened: Opened<A>,
  ) {
    this.name = name
    this.clock = clock
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
      const instrument = needs.instrument(() => {})
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
        const scope = yield* Scope.fork(outer)
        const memoMap = Layer.forkMemoMapUnsafe(needs.memoMap)
        const built = yield* Layer.buildWithMemoMap(needs.layer, memoMap, scope).pipe(
          Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
        )
        return { scope, context: Context.merge(built, references) as Context.Context<A> }
      }).pipe(Effect.provideContext(Context.merge(around, references))) as Effect.Effect<
        Opened<A>,
        E
      >
      const node = new SimulatedNode(needs as Needs<A, E, never>, open, yield* open)
      node.stacks = stacks
      return node
    })
  }

  readonly run = <B, E2, R>(effect: Effect.Effect<B, E2, R>): Effect.Effect<B, E2, Exclude<R, A>> =>
    Effect.suspend(() => Effect.provideContext(effect, this.#opened.context))

  /** Ends the node as a process that shuts down, and begins it again. */
  readonly restart: Effect.Effect<void, E> = Effect.suspend(() =>
    Scope.close(this.#opened.scope, Exit.void),
  ).pipe(
    Effect.andThen(() => this.#open),
    Effect.map((opened) => {
      this.#opened = opened
    }),
  )
}
