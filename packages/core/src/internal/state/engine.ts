/**
 * The state of one larder in one node, and the few small steps that everything
 * else is made of. Values and errors are `unknown` in here; `Larder` gives them
 * their types back.
 */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Random from "effect/Random"
import * as Semaphore from "effect/Semaphore"
import * as Tracer from "effect/Tracer"
import { brought, nextNumber, usable } from "../../Arbitration.ts"
import * as Coalesce from "../../Coalesce.ts"
import * as Decision from "../../Decision.ts"
import * as EarlyRefresh from "../../EarlyRefresh.ts"
import { type Entry, forever, shift } from "../../Entry.ts"
import * as Freshness from "../../Freshness.ts"
import type { OptionFailed } from "../../LarderError.ts"
import type { AdaptivePolicy, Policy } from "../../Policy.ts"
import type { MemoryEntry, ObjectStore } from "../../Tier.ts"
import type * as Upstream from "../../Upstream.ts"
import { checkedPolicy } from "../policy/checkedPolicy.ts"
import { Failures } from "./failureMemory.ts"
import type { Given } from "./flight.ts"
import { FlightTable } from "./flightTable.ts"
import { HeldLeases } from "./heldLeases.ts"
import { LookupDemands } from "./lookupDemand.ts"
import type { Marks } from "../invalidation/marks.ts"
import { monotonicMillis } from "../runtime/monotonic.ts"
import { neverPlain } from "../memory/memoryStore.ts"
import { Missed } from "./missedChanges.ts"
import type { Observer } from "../observe/eventHub.ts"
import { WaitingCallers } from "../runtime/processLife.ts"
import type { Soon } from "../runtime/nextTurn.ts"
import type { Stack } from "../tier/openStack.ts"
import type { SteadyClock } from "../runtime/steadyClock.ts"
import { Timers } from "../runtime/deadlines.ts"
import type { Turns } from "../runtime/turns.ts"
import { attempt, guarded } from "./userCode.ts"
import { Warnings } from "../observe/warnings.ts"
import { WriteQueue } from "./writeQueue.ts"

/** What the owner of a larder decides. Its functions throw `OptionFailed`, but for `keyOf`, which never throws. */
export interface Settings {
  readonly name: string
  readonly upstream: Upstream.Resolved<unknown, unknown, unknown>
  readonly policy: Policy
  readonly adapt: AdaptivePolicy<unknown, unknown>["of"] | undefined
  /** The key as tiers know it; undefined when `key` is no key. */
  readonly keyOf: (key: unknown) => string | undefined
  /** Why `keyOf` gave nothing. */
  readonly keyProblem: (key: unknown) => string
  readonly tags: ((value: unknown, key: unknown) => ReadonlyArray<string>) | undefined
  readonly etag: ((value: unknown, key: unknown) => string | undefined) | undefined
  /** Milliseconds for which a typed failure is given again. */
  readonly failureFor: ((error: unknown, key: unknown) => number) | undefined
  /** Whether something stale may be given in place of a typed failure. */
  readonly graceFor: ((error: unknown, key: unknown) => boolean) | undefined
  readonly revision: ((value: unknown) => number | bigint | string) | undefined
  readonly closeMillis: number
}

export interface Surroundings {
  /** Of the fiber that made the larder, without its scope. */
  readonly context: Context.Context<never>
  /** The same as it was: what else is made there captures it. */
  readonly origin: Context.Context<never>
  readonly clock: SteadyClock
  readonly random: Random.Random
  readonly soon: Soon
  readonly turns: Turns
}

/** What memory has for a key, as far as this moment and the marks allow. */
export interface AtHand extends Given {
  readonly held: MemoryEntry
  /** Where memory has it: good until memory is written. */
  readonly slot: number
}

/** What the farther tiers have for a key, and the version at which the arbiter says that it was removed, 0 for never. */
export interface FartherReading {
  readonly best: Given | undefined
  readonly removedAt: number
}

/** An entry, with what the user's functions say of its value. */
export interface Keeping {
  readonly entry: Entry<unknown>
  readonly policy: Policy
  /** In memory. */
  readonly weight: number
  /** When the arbiter last said that it has the entry, in monotonic time; now by default. */
  readonly confirmedAt?: number | undefined
}

export class Engine {
  readonly settings: Settings
  readonly context: Context.Context<never>
  readonly clock: SteadyClock
  readonly random: Random.Random
  readonly soon: Soon
  /** For work on many keys. */
  readonly turns: Turns
  readonly stack: Stack
  readonly near: ObjectStore
  readonly nearName: string
  readonly observer: Observer
  readonly timers: Timers
  readonly warnings: Warnings
  /** They keep the process alive. */
  readonly callers: WaitingCallers
  /** The weight of a value in memory; throws `OptionFailed`. */
  readonly weigh: (value: unknown, k: string) => number
  readonly #policyFor: ((value: unknown, key: unknown) => Policy) | undefined
  readonly marks: Marks
  readonly failures = new Failures()
  readonly missed = new Missed()
  readonly writes = new WriteQueue((effect) => this.fork(effect, this.settling))
  /** Readers of farther tiers share a trip. */
  readonly reads = Coalesce.make<string, FartherReading>()
  readonly flights: FlightTable
  readonly leases = new HeldLeases()
  /** Interrupted when the larder closes. */
  readonly running = new Set<Fiber.Fiber<unknown, unknown>>()
  /** Interrupted before, and still not ended. */
  readonly abandoned = new Set<Fiber.Fiber<unknown, unknown>>()
  /** Commits wait for each other, so that many at once do not all take too long. */
  readonly commits = Semaphore.makeUnsafe(64)
  /** Waited for when the larder closes. */
  readonly settling = new Set<Fiber.Fiber<unknown, unknown>>()
  closed = false
  /** From this moment on nothing in memory is fresh, unless it is so for ever. */
  lastFresh = 0
  /** Called when an entry is kept, for the sweeps that look at it. */
  onKeep: (early: EarlyRefresh.EarlyRefresh) => void = () => {}
  /** Whether there is a tracer that shows spans to anybody. */
  readonly isTraced: boolean
  readonly demands: LookupDemands
  #version = 0
  /** The last change of each key that is being made in tiers behind memory. */
  readonly #turns = new Map<string, number>()
  #turn = 0

  constructor(
    settings: Settings,
    surroundings: Surroundings,
    stack: Stack,
    observer: Observer,
    marks: Marks,
  ) {
    this.settings = settings
    this.marks = marks
    this.flights = new FlightTable(marks)
    this.context = surroundings.context
    this.isTraced = surroundings.context.mapUnsafe.has(Tracer.Tracer.key)
    this.demands = new LookupDemands(this, surroundings.origin)
    this.clock = surroundings.clock
    this.random = surroundings.random
    this.soon = surroundings.soon
    this.turns = surroundings.turns
    this.stack = stack
    this.near = stack.near
    this.nearName = stack.nearName
    this.observer = observer
    this.timers = new Timers(surroundings.context, "lingers")
    this.callers = new WaitingCallers(surroundings.clock.isSystem)
    const { adapt, name, policy } = settings
    this.warnings = new Warnings(name, surroundings.clock, surroundings.context)
    this.weigh = guarded(name, "weigh", (value, k: string) => this.near.weigh(value, k))
    this.#policyFor =
      adapt &&
      guarded(name, "policy", (value, key) =>
        checkedPolicy(adapt(value, key, policy), "what the function gave"),
      )
  }

  /** A time of day that does not step back: see `SteadyClock`. */
  now(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  /** An entry for users of the larder: its times are of the time of day as it is now. */
  inTimeOfDay<A>(entry: Entry<A>): Entry<A> {
    return shift(entry, -this.clock.behindUnsafe())
  }

  /** A pause in work of the larder, which does not keep the process alive. */
  sleep(millis: number): Effect.Effect<void> {
    return this.clock.pause(Duration.millis(millis))
  }

  /** For how long something takes: not moved by a clock that is set. */
  stopwatch(): number {
    return monotonicMillis(this.clock)
  }

  /**
   * The next number of this node's own sequence; by which it orders changes where
   * no arbiter does. Above what tiers may have kept since before, if there are any.
   */
  nextVersion(known = 0): number {
    this.#version = this.outlives
      ? nextNumber(this.now(), this.#version, brought(known))
      : this.#version + 1
    return this.#version
  }

  /** The highest version of the key that this node has seen and still knows of. */
  knownVersion(k: string): number {
    return Math.max(
      this.near.peek(k)?.entry.version ?? 0,
      this.writes.newest(k)?.entry.version ?? 0,
      this.leases.holder(k)?.lease?.token ?? 0,
      this.missed.key(k)?.atLeast ?? 0,
    )
  }

  /** Entries may have come from before this larder was made, and no arbiter says what has happened since. */
  get outlives(): boolean {
    return this.stack.arbiter === undefined && this.stack.farther.length > 0
  }

  /** What is looked up now covers the marks up to here. */
  asOf(): number {
    return this.outlives ? Math.max(this.marks.last, usable(this.now() * 1000)) : this.marks.last
  }

  takeTurn(k: string): number {
    this.#turn += 1
    this.#turns.set(k, this.#turn)
    return this.#turn
  }

  /** Whether no other change of the key has begun since. */
  endTurn(k: string, turn: number): boolean {
    if (this.#turns.get(k) !== turn) return false
    this.#turns.delete(k)
    return true
  }

  /** In (0, 1]. */
  draw(): number {
    return 1 - this.random.nextDoubleUnsafe()
  }

  /** Runs in the larder's context, at once; ends with the larder. */
  fork<A, E>(
    effect: Effect.Effect<A, E>,
    owner: Set<Fiber.Fiber<unknown, unknown>> = this.running,
    context: Context.Context<never> = this.context,
  ): Fiber.Fiber<A, E> {
    const fiber = Effect.runForkWith(context)(effect)
    this.own(fiber, owner)
    return fiber
  }

  /** Makes a fiber end with the larder. */
  own(fiber: Fiber.Fiber<unknown, unknown>, owner = this.running): void {
    if (fiber.pollUnsafe() !== undefined) return
    owner.add(fiber)
    fiber.addObserver(() => owner.delete(fiber))
  }

  /** Interrupts a fiber that nobody waits for any more, not even when the larder closes. */
  abandon(fiber: Fiber.Fiber<unknown, unknown>, annotations?: Context.Context<never>): void {
    fiber.interruptUnsafe(undefined, annotations)
    this.running.delete(fiber)
    if (fiber.pollUnsafe() !== undefined) return
    this.abandoned.add(fiber)
    fiber.addObserver(() => this.abandoned.delete(fiber))
  }

  /** The policy of a value; throws `OptionFailed`. */
  policyOf(value: unknown, key: unknown): Policy {
    return this.#policyFor === undefined ? this.settings.policy : this.#policyFor(value, key)
  }

  /**
   * What is kept of an entry that a tier has. Undefined where the user's functions
   * fail on its value: an entry that cannot be used is undecodable, and told as such.
   */
  examined(
    k: string,
    asked: unknown,
    tier: string,
    entry: Entry<unknown>,
    confirmedAt: number | undefined,
  ): Keeping | undefined {
    return attempt(
      () => {
        this.settings.revision?.(entry.value)
        const policy = this.policyOf(entry.value, asked)
        return { entry, policy, weight: this.weigh(entry.value, k), confirmedAt }
      },
      (failure) => this.undecodable(k, tier, failure),
    )
  }

  /** An option failed on a value that is stored: the next load repairs the key. */
  undecodable(k: string, tier: string, { message, option }: OptionFailed): undefined {
    this.observer.counters.undecodable += 1
    this.observer.tell({ _tag: "Undecodable", key: k, tier, reason: message })
    this.warnings.warn(
      `stored ${option}`,
      `the option ${option} failed on a value stored in ${tier}; the value counts as missing until the next lookup replaces it. Make ${option} work for every value that the schema allows, or raise schemaVersion`,
    )
  }

  /** An option failed on what upstream has just answered: callers get the answer, and nothing is kept. */
  optionFailed({ option }: OptionFailed): void {
    this.warnings.warn(
      `answered ${option}`,
      `the option ${option} failed on an answer of upstream; callers get the answer, which is not kept. Make ${option} work for every answer`,
    )
  }

  /** An option failed on an error of upstream: it is as if the option were not there. */
  failureOptionFailed({ option }: OptionFailed): void {
    this.warnings.warn(
      `failed ${option}`,
      `the option ${option} failed on an error of upstream and is left out of account. Make ${option} work for every error`,
    )
  }

  /** By time, and by the marks. */
  judge(entry: Entry<unknown>, now: number): Freshness.Freshness {
    const freshness = Freshness.of(entry, now)
    if (freshness._tag === "Missing") return freshness
    switch (this.marks.judge(entry)) {
      case "valid":
        return freshness
      case "stale":
        return Freshness.staleError
      case "dropped":
        return Freshness.missing
    }
  }

  /** What memory has that can still be given; what cannot is taken out. */
  atHand(k: string, now: number): AtHand | undefined {
    const slot = this.near.find(k)
    if (slot === 0) return undefined
    const held = this.near.at(slot)
    const entry = capped(held.entry, held.freshCap)
    const { last } = this.marks
    const isValid = this.near.isStampedAt(slot, last)
    const freshness = isValid ? Freshness.of(entry, now) : this.judge(entry, now)
    if (freshness._tag === "Missing") {
      this.near.delete(k)
      return undefined
    }
    if (freshness._tag === "Fresh" && !isValid) {
      const until = hitUntil(held.entry, held.freshCap, held.policy)
      this.near.stamp(slot, { until, checkedAt: last })
    }
    return { held, slot, entry, exit: held.exit, freshness, tier: this.nearName }
  }

  /** Whether the early refresh of a fresh entry has come; draws only where a draw can matter. */
  isDue(hand: AtHand, now: number): boolean {
    const { earlyRefresh } = hand.held.policy
    const { entry } = hand.held
    return (
      hand.freshness._tag === "Fresh" &&
      now >= EarlyRefresh.earliest(earlyRefresh, entry) &&
      EarlyRefresh.shouldRefresh(earlyRefresh, entry, now, this.draw())
    )
  }

  standing(hand: AtHand | undefined, demand: Decision.Demand, now: number): Decision.Standing {
    return hand === undefined
      ? "missing"
      : Decision.standing(hand.freshness, hand.entry.storedAt, this.isDue(hand, now), demand)
  }

  /** Until when an entry may count as fresh that was confirmed at a moment of monotonic time. */
  freshCap(confirmedAt: number): number {
    return this.now() - (this.stopwatch() - confirmedAt) + this.near.maxFreshFor
  }

  /** Keeps an entry in memory, unless something newer is there. */
  keep(
    k: string,
    asked: unknown,
    { confirmedAt, entry, policy, weight }: Keeping,
    now: number,
  ): void {
    const present = this.near.peek(k)
    if (this.closed || (present !== undefined && present.entry.version > entry.version)) return
    const freshCap =
      confirmedAt === undefined ? now + this.near.maxFreshFor : this.freshCap(confirmedAt)
    if (entry.freshUntil < forever) this.lastFresh = Math.max(this.lastFresh, entry.freshUntil)
    this.onKeep(policy.earlyRefresh)
    const valid = this.marks.judge(entry) === "valid"
    const stamp = valid
      ? { until: hitUntil(entry, freshCap, policy), checkedAt: this.marks.last }
      : neverPlain
    const exit = Exit.succeed(entry.value)
    this.near.put({ key: k, entry, exit, asked, policy, freshCap }, weight, stamp, now)
  }
}

export const capped = (entry: Entry<unknown>, cap: number): Entry<unknown> => {
  if (entry.freshUntil <= cap) return entry
  const grace = entry.revalidateUntil - entry.freshUntil
  return {
    ...entry,
    freshUntil: cap,
    revalidateUntil: Math.min(entry.revalidateUntil, cap + grace),
  }
}

const hitUntil = (entry: Entry<unknown>, cap: number, policy: Policy): number =>
  Math.min(entry.freshUntil, cap, EarlyRefresh.earliest(policy.earlyRefresh, entry))

/** The span of whoever asks, so that its lookup is seen under it. */
export type CallerSpan = Tracer.AnySpan | undefined
