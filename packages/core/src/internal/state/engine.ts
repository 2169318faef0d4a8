/**
 * The state of one larder in one node. Values and errors are `unknown` here; `Larder` restores
 * their types.
 */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Random from "effect/Random"
import * as Semaphore from "effect/Semaphore"
import * as Tracer from "effect/Tracer"
import type { Backplane } from "../../Backplane.ts"
import { type Entry, shift } from "../../Entry.ts"
import type { Policy } from "../../Policy.ts"
import type { ObjectStore } from "../../Tier.ts"
import type * as Upstream from "../../Upstream.ts"
import type { Marks } from "../invalidation/marks.ts"
import type { Observer } from "../observe/eventHub.ts"
import { Warnings } from "../observe/warnings.ts"
import { Timers } from "../runtime/deadlines.ts"
import { closingRetryMillis } from "../runtime/limits.ts"
import { monotonicMillis } from "../runtime/monotonic.ts"
import type { Soon } from "../runtime/nextTurn.ts"
import { WaitingCallers } from "../runtime/processLife.ts"
import type { SteadyClock } from "../runtime/steadyClock.ts"
import type { Turns } from "../runtime/turns.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import { Budget } from "../tier/budget.ts"
import type { Stack } from "../tier/openStack.ts"
import { ChangeSignals } from "./changeSignals.ts"
import { CoalescedReads } from "./coalescedReads.ts"
import { Failures } from "./failureMemory.ts"
import { Fibers } from "./fibers.ts"
import type { Candidate } from "./flight.ts"
import { FlightTable } from "./flightTable.ts"
import { Gaps } from "./gaps.ts"
import type { Audit } from "./audit.ts"
import { AloneKeys } from "./aloneKeys.ts"
import { HeaderReads } from "./headerReads.ts"
import { HeldLeases } from "./heldLeases.ts"
import { KeyLocks } from "./keyLocks.ts"
import type { KeySchema } from "./keySchema.ts"
import { KeyTurns } from "./keyTurns.ts"
import { LocalEntries } from "./localEntries.ts"
import { LookupDemands } from "./lookupDemand.ts"
import { Missed } from "./missedChanges.ts"
import { OptionFailures } from "./optionFailures.ts"
import { Outbox } from "./outbox.ts"
import { Pushes } from "./pushes.ts"
import { RecentChanges } from "./recentChanges.ts"
import { OpenWrites } from "./openWrites.ts"
import { SourceWrites } from "./sourceWrites.ts"
import { type OnStampede, Stampedes } from "./stampedes.ts"
import { guarded } from "./userCode.ts"
import { Versions } from "./versions.ts"
import { WriteQueue } from "./writeQueue.ts"

/** The checked options of a larder. Its functions throw `OptionFailed`, except `keyOf`, which never throws. */
export interface Settings {
  readonly name: string
  readonly upstream: Upstream.Resolved<unknown, unknown, unknown>
  /** A follower: what no tier has is absent, and upstream is never asked. */
  readonly follows: boolean
  readonly policy: Policy
  /** The policy of a value. */
  readonly policyOf: (value: unknown, key: unknown) => Policy
  /** The key as tiers store it; undefined for an invalid key. */
  readonly keyOf: (key: unknown) => string | undefined
  /** The schema whose encoding `keyOf` returns; undefined where the larder has none. */
  readonly keySchema: KeySchema<unknown> | undefined
  /** Keys may be objects. Without a `key` function they are strings and numbers. */
  readonly hasKeyFunction: boolean
  /** The beginning of a key as tiers store it. */
  readonly prefixOf: (prefix: string) => string
  /** Why `keyOf` returned undefined. */
  readonly keyProblem: (key: unknown) => string
  readonly tags: ((value: unknown, key: unknown) => ReadonlyArray<string>) | undefined
  readonly etag: ((value: unknown, key: unknown) => string | undefined) | undefined
  /** Milliseconds for which a typed failure is returned again (negative caching). */
  readonly failureFor: ((error: unknown, key: unknown) => number) | undefined
  /** Whether a stale value may be returned in place of a typed failure. */
  readonly graceFor: ((error: unknown, key: unknown) => boolean) | undefined
  readonly revision: ((value: unknown) => number | bigint | string) | undefined
  readonly closeMillis: number
  /** For how long after a change replicas of the source may not have it, ms. */
  readonly replicaLag: number
  readonly objective: Objective | undefined
  /** As many callers of one lookup are no stampede. */
  readonly stampedeCallers: number
  readonly onStampede: OnStampede<unknown> | undefined
  readonly audit: Audit | undefined
}

/** A freshness objective: this share of the answers is younger than so many ms. */
export interface Objective {
  readonly youngerThan: number
  readonly share: number
}

export interface Surroundings {
  /** The context of the fiber that made the larder, without its scope. */
  readonly context: Context.Context<never>
  /** The same context unchanged. An upstream made there captures it. */
  readonly origin: Context.Context<never>
  readonly clock: SteadyClock
  readonly random: Random.Random
  readonly soon: Soon
  /** Splits work on many keys into turns of the event loop. */
  readonly turns: Turns
  /** The backplane that was provided: `Backplane.none` for none. */
  readonly backplane: Backplane
}

/** The best entry of the farther tiers for a key, and the version of its removal at the arbiter, 0 for none. */
export interface FartherReading {
  readonly best: Candidate | undefined
  readonly removedAt: number
}

/** The caller's span, which becomes the parent of the lookup's span. */
export type CallerSpan = Tracer.AnySpan | undefined

export class Engine {
  readonly settings: Settings
  readonly context: Context.Context<never>
  readonly clock: SteadyClock
  readonly random: Random.Random
  readonly soon: Soon
  readonly turns: Turns
  /** The backplane that was provided, in use unless the arbiter notifies. */
  readonly backplane: Backplane
  readonly stack: Stack
  readonly near: ObjectStore
  readonly nearName: string
  readonly marks: Marks
  readonly gaps: Gaps
  readonly observer: Observer
  readonly timers: Timers
  readonly warnings: Warnings
  readonly optionFailures: OptionFailures
  /** Whether the context has a tracer. */
  readonly isTraced: boolean
  /** Waiting callers, which keep the process alive. */
  readonly callers: WaitingCallers
  /** The weight of a value in memory; throws `OptionFailed`. */
  readonly weigh: (value: unknown, k: string) => number

  readonly entries: LocalEntries
  readonly flights: FlightTable
  readonly leases = new HeldLeases()
  readonly versions: Versions
  readonly failures = new Failures()
  readonly stampedes: Stampedes
  readonly missed = new Missed()
  /** Changes for the backplane; keeps none where no backplane is in use. */
  readonly outbox = new Outbox()
  readonly writes: WriteQueue
  readonly changes = new KeyTurns()
  readonly signals = new ChangeSignals()
  /** Updates of one key in this node take turns. */
  readonly keyLocks = new KeyLocks()
  readonly sourceWrites = new SourceWrites()
  readonly openWrites = new OpenWrites()
  readonly recentChanges: RecentChanges
  readonly fibers: Fibers
  readonly demands: LookupDemands
  /** Coalesces concurrent `read`s of one key in farther tiers. */
  readonly reads = new CoalescedReads<FartherReading>()
  readonly pushes = new Pushes()
  /** Undefined where no arbiter tells versions without their entries. */
  readonly headers: HeaderReads | undefined
  readonly alone = new AloneKeys()
  /** Limits concurrent commits, so that many at once do not all exceed `tierTimeout`. */
  readonly commits = Semaphore.makeUnsafe(64)
  /** Called when memory has other bounds. */
  onResized: () => void = () => {}
  closed = false
  /** Opens when the larder closes. */
  readonly closing = Latch.makeUnsafe()

  constructor(
    settings: Settings,
    { backplane, clock, context, origin, random, soon, turns }: Surroundings,
    stack: Stack,
    observer: Observer,
    marks: Marks,
  ) {
    const { near } = stack
    this.settings = settings
    this.recentChanges = new RecentChanges(settings.replicaLag, () => this.stopwatch())
    this.context = context
    this.clock = clock
    this.random = random
    this.soon = soon
    this.turns = turns
    this.backplane = backplane
    this.stack = stack
    this.near = near
    this.nearName = stack.nearName
    this.marks = marks
    this.observer = observer
    this.timers = new Timers(context, "lingers")
    this.warnings = new Warnings(settings.name, clock, context)
    this.optionFailures = new OptionFailures(observer, this.warnings)
    this.isTraced = context.mapUnsafe.has(Tracer.Tracer.key)
    this.callers = new WaitingCallers(clock.isSystem)
    this.weigh = guarded(settings.name, "weigh", (value, k: string) => near.weigh(value, k))
    this.fibers = new Fibers(context)
    this.writes = new WriteQueue(
      (effect) => this.fibers.forkAwaited(effect),
      (millis) => this.sleep(millis),
    )
    this.gaps = new Gaps(marks, (k) => stack.arbiter?.partOf(k) ?? "")
    this.entries = new LocalEntries(stack, marks, this.gaps, clock, random)
    this.flights = new FlightTable(marks)
    this.stampedes = new Stampedes(settings.stampedeCallers)
    this.versions = new Versions(clock, marks, this, stack)
    this.demands = new LookupDemands(this, origin)
    this.headers = this.#headersOf(stack.arbiter)
  }

  #headersOf(arbiter: FartherTier | undefined): HeaderReads | undefined {
    if (arbiter?.hasVersions !== true) return undefined
    const { tierTimeout } = this.settings.policy
    return new HeaderReads({
      partOf: (k) => arbiter.partOf(k),
      ask: (part, keys) => arbiter.versions(part, keys, new Budget(tierTimeout)),
      gaps: this.gaps,
      marksReadAt: () => arbiter.marks.reading?.readAt ?? -Infinity,
      soon: this.soon,
      timers: this.timers,
      fork: (effect) => this.fibers.fork(effect),
      moment: () => this.moment(),
      stopwatch: () => this.stopwatch(),
    })
  }

  /** Time of day in ms that never steps back: see `SteadyClock`. */
  now(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  /** `now` by itself. */
  readonly nowOf = (): number => this.now()

  /** Monotonic time in ms, for durations. */
  stopwatch(): number {
    return monotonicMillis(this.clock)
  }

  /** Monotonic time in ms, later than every earlier moment: see `SteadyClock`. */
  moment(): number {
    return this.clock.moment()
  }

  /** A copy with its times in the system's time of day: users of the larder must not change the entry. */
  inTimeOfDay<A>(entry: Entry<A>): Entry<A> {
    return { ...shift(entry, -this.clock.behindUnsafe()), tags: [...entry.tags] }
  }

  /** Sleeps without keeping the process alive. */
  sleep(millis: number): Effect.Effect<void> {
    return this.clock.pause(Duration.millis(millis))
  }

  /** Pauses before another attempt. Closing the larder ends the pause, and makes further ones short. */
  pause(millis: number): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.closed
        ? this.sleep(Math.min(millis, closingRetryMillis))
        : Effect.raceFirst(this.sleep(millis), this.closing.await),
    )
  }
}
