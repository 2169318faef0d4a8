/** Limits concurrent lookups: permits, and queues in which lookups wait for them. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import type { Demand } from "../../Upstream.ts"
import { Chain, Linked } from "../runtime/linkedSet.ts"
import { LiveDemand } from "./liveDemand.ts"

/**
 * A lookup was shed by `Upstream.withConcurrency`: no permit was free, and the queue was full or
 * the lookup had a stale value.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const prices = yield* Larder.make({
 *     name: "prices",
 *     upstream: Upstream.make({
 *       lookup: (_: string) => Effect.delay(Effect.succeed(120), "1 second")
 *     }).pipe(Upstream.withConcurrency({ foreground: 1, queue: 0 })),
 *     policy: Policy.make({ freshFor: "1 minute" })
 *   })
 *   yield* Effect.forkChild(prices.get("milk"), { startImmediately: true })
 *   return yield* Effect.flip(prices.get("eggs"))
 * })
 * const error = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer())))
 * )
 * assert.ok(error instanceof Upstream.Shed)
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class Shed extends Schema.TaggedError<Shed>()("Shed", {
  /** Lookups that may run at once. */
  limit: Schema.Finite,
  /** Lookups that may wait. */
  queue: Schema.Finite,
  /** Whether the permits are for background lookups only. */
  background: Schema.Boolean,
}) {
  override get message(): string {
    const kind = this.background ? "background lookups" : "lookups"
    return `shed: ${this.limit} ${kind} are running, and at most ${this.queue} may wait (Upstream.withConcurrency)`
  }
}

export interface Bounds {
  readonly limit: number
  /** Lookups that may wait; undefined for any number. */
  readonly queue: number | undefined
  readonly background: boolean
}

/** A lookup with a permit, or in a queue for one. */
class Place extends Linked<Place> {
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly demand: Demand
  gate: Gate
  running = false
  resume: ((effect: Effect.Effect<void>) => void) | undefined = undefined
  stopListening: (() => void) | undefined = undefined

  constructor(fiber: Fiber.Fiber<unknown, unknown>, demand: Demand, gate: Gate) {
    super()
    this.fiber = fiber
    this.demand = demand
    this.gate = gate
  }
}

/** Permits of one kind and their queue, first come, first served. */
export class Gate {
  readonly bounds: Bounds
  #running = 0
  readonly #line = new Chain<Place>()

  constructor(bounds: Bounds) {
    this.bounds = bounds
  }

  /** Whether a lookup may enter. One with a stale value does not wait in a bounded queue. */
  hasRoom(demand: Demand): boolean {
    const { limit, queue } = this.bounds
    const { stale } = demand
    if (demand instanceof LiveDemand && demand.onlyIfFree) {
      return this.#running < limit && this.#line.size === 0
    }
    if (queue === undefined) return true
    return this.#running + this.#line.size < limit + (stale ? 0 : queue)
  }

  shed(): Shed {
    const { background, limit, queue = 0 } = this.bounds
    return new Shed({ limit, queue, background })
  }

  /** Grants a permit, or a place at the end of the queue. */
  admit(place: Place): void {
    place.gate = this
    if (this.#running < this.bounds.limit) this.#grant(place)
    else this.#line.add(place)
  }

  /** Removes the place and frees its permit. */
  release(place: Place): void {
    this.#line.delete(place)
    if (place.running) this.#running -= 1
    const next = this.#running < this.bounds.limit ? this.#line.first : undefined
    if (next === undefined) return
    this.#line.delete(next)
    this.#grant(next)
  }

  /** Lookups that wait for a permit. */
  get waiting(): number {
    return this.#line.size
  }

  /** The first in the queue for which `is` holds. */
  find(is: (place: Place) => boolean): Place | undefined {
    return this.#line.find(is)
  }

  #grant(place: Place): void {
    this.#running += 1
    place.running = true
    const { fiber, resume } = place
    // In a later turn: otherwise a lookup that ends at once would begin the next one recursively.
    if (resume !== undefined) fiber.currentDispatcher.scheduleTask(() => resume(Effect.void), 0)
  }
}

/** The gates of foreground and background lookups; one gate may serve both. */
export interface Gates {
  readonly foreground: Gate
  readonly background: Gate
}

/**
 * Runs the effect with a permit, after earlier lookups of its kind. Fails with `Shed` where the queue is
 * bounded and full, or bounded and the lookup has a stale value.
 */
export const enter = <A, E, R>(
  gates: Gates,
  demand: Demand,
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E | Shed, R> =>
  // Uninterruptible from taking the place until `ensuring` is in effect.
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiber((fiber): Effect.Effect<A, E | Shed, R> => {
      const gate = demand.background ? gates.background : gates.foreground
      if (!gate.hasRoom(demand)) return gate.shed()
      const place = new Place(fiber, demand, gate)
      gate.admit(place)
      if (!place.running) listen(gates, place)
      const run = place.running
        ? restore(effect)
        : Effect.andThen(restore(waitFor(place)), restore(effect))
      return Effect.ensuring(
        run,
        Effect.sync(() => leave(gates, place)),
      )
    }),
  )

const waitFor = (place: Place): Effect.Effect<void> =>
  Effect.callback((resume) => {
    // Race: the fiber yielded in between, and got the permit meanwhile.
    if (place.running) resume(Effect.void)
    else place.resume = resume
  })

const listen = (gates: Gates, place: Place): void => {
  const { demand } = place
  if (gates.foreground === gates.background || !(demand instanceof LiveDemand)) return
  place.stopListening = demand.onJoin(() => upgrade(gates, place))
}

const leave = (gates: Gates, place: Place): void => {
  const { gate } = place
  place.stopListening?.()
  gate.release(place)
  if (gate === gates.foreground) upgradeNext(gates)
}

/** Whether a lookup in the background queue has got a caller, and the foreground queue has room. */
const mayUpgrade = ({ foreground, background }: Gates, { demand, gate, running }: Place): boolean =>
  !running && gate === background && !demand.background && foreground.hasRoom(demand)

/** Moves a lookup to the end of the foreground queue; if that is full, it keeps its place. */
const upgrade = (gates: Gates, place: Place): void => {
  if (!mayUpgrade(gates, place)) return
  gates.background.release(place)
  gates.foreground.admit(place)
}

/** The foreground queue has room: upgrades a lookup that found it full. */
const upgradeNext = (gates: Gates): void => {
  if (gates.foreground === gates.background) return
  const next = gates.background.find((place) => mayUpgrade(gates, place))
  if (next !== undefined) upgrade(gates, next)
}

const gatesOf = new WeakMap<object, ReadonlyArray<Gates>>()

/** Records the gates that an upstream's lookups pass: those of `inside`, and its own. */
export const setGates = (resolved: object, inside: object, own?: Gates): void => {
  const all = [...(gatesOf.get(inside) ?? []), ...(own === undefined ? [] : [own])]
  if (all.length > 0) gatesOf.set(resolved, all)
}

/** How many lookups wait for a permit. */
export interface Queues {
  /** Also background lookups, where they have no permits of their own. */
  readonly foreground: () => number
  readonly background: (() => number) | undefined
}

/** The queues of an upstream; undefined where nothing bounds its lookups. */
export const queuesOf = (resolved: object): Queues | undefined => {
  const all = gatesOf.get(resolved)
  if (all === undefined) return undefined
  const waiting = (gates: ReadonlyArray<Gate>) => () =>
    gates.reduce((sum, gate) => sum + gate.waiting, 0)
  const apart = all.filter(({ background, foreground }) => background !== foreground)
  return {
    foreground: waiting(all.map(({ foreground }) => foreground)),
    background: apart.length === 0 ? undefined : waiting(apart.map(({ background }) => background)),
  }
}
