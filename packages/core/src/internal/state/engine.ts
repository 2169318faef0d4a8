/**
 * The state of one larder in one node, by what it is about. Values and errors are
 * `unknown` in here; `Larder` gives them their types back.
 */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Random from "effect/Random"
import * as Semaphore from "effect/Semaphore"
import * as Tracer from "effect/Tracer"
import * as Coalesce from "../../Coalesce.ts"
import { type Entry, shift } from "../../Entry.ts"
import type { Policy } from "../../Policy.ts"
import type { ObjectStore } from "../../Tier.ts"
import type * as Upstream from "../../Upstream.ts"
import type { Marks } from "../invalidation/marks.ts"
import type { Observer } from "../observe/eventHub.ts"
import { Warnings } from "../observe/warnings.ts"
import { Timers } from "../runtime/deadlines.ts"
import { monotonicMillis } from "../runtime/monotonic.ts"
import type { Soon } from "../runtime/nextTurn.ts"
import { WaitingCallers } from "../runtime/processLife.ts"
import type { SteadyClock } from "../runtime/steadyClock.ts"
import type { Turns } from "../runtime/turns.ts"
import type { Stack } from "../tier/openStack.ts"
import { Failures } from "./failureMemory.ts"
import { Fibers } from "./fibers.ts"
import type { Candidate } from "./flight.ts"
import { FlightTable } from "./flightTable.ts"
import { HeldLeases } from "./heldLeases.ts"
import { KeyTurns } from "./keyTurns.ts"
import { LocalEntries } from "./localEntries.ts"
import { LookupDemands } from "./lookupDemand.ts"
import { Missed } from "./missedChanges.ts"
import { OptionFailures } from "./optionFailures.ts"
import { guarded } from "./userCode.ts"
import { Versions } from "./versions.ts"
import { WriteQueue } from "./writeQueue.ts"

/** What the owner of a larder decides. Its functions throw `OptionFailed`, but for `keyOf`, which never throws. */
export interface Settings {
  readonly name: string
  readonly upstream: Upstream.Resolved<unknown, unknown, unknown>
  readonly policy: Policy
  /** The policy of a value. */
  readonly policyOf: (value: unknown, key: unknown) => Policy
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
  /** For work on many keys. */
  readonly turns: Turns
}

/** What the farther tiers have for a key, and the version at which the arbiter says that it was removed, 0 for never. */
export interface FartherReading {
  readonly best: Candidate | undefined
  readonly removedAt: number
}

/** The span of whoever asks, so that its lookup is seen under it. */
export type CallerSpan = Tracer.AnySpan | undefined

export class Engine {
  readonly settings: Settings
  readonly context: Context.Context<never>
  readonly clock: SteadyClock
  readonly random: Random.Random
  readonly soon: Soon
  readonly turns: Turns
  readonly stack: Stack
  readonly near: ObjectStore
  readonly nearName: string
  readonly marks: Marks
  readonly observer: Observer
  readonly timers: Timers
  readonly warnings: Warnings
  readonly optionFailures: OptionFailures
  /** Whether there is a tracer that shows spans to anybody. */
  readonly isTraced: boolean
  /** They keep the process alive. */
  readonly callers: WaitingCallers
  /** The weight of a value in memory; throws `OptionFailed`. */
  readonly weigh: (value: unknown, k: string) => number

  readonly entries: LocalEntries
  readonly flights: FlightTable
  readonly leases = new HeldLeases()
  readonly versions: Versions
  readonly failures = new Failures()
  readonly missed = new Missed()
  readonly writes: WriteQueue
  readonly changes = new KeyTurns()
  readonly fibers: Fibers
  readonly demands: LookupDemands
  /** Readers of farther tiers share a trip. */
  readonly reads = Coalesce.make<string, FartherReading>()
  /** Commits wait for each other, so that many at once do not all take too long. */
  readonly commits = Semaphore.makeUnsafe(64)
  closed = false

  constructor(
    settings: Settings,
    { clock, context, origin, random, soon, turns }: Surroundings,
    stack: Stack,
    observer: Observer,
    marks: Marks,
  ) {
    const { near } = stack
    this.settings = settings
    this.context = context
    this.clock = clock
    this.random = random
    this.soon = soon
    this.turns = turns
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
    this.writes = new WriteQueue((effect) => this.fibers.forkAwaited(effect))
    this.entries = new LocalEntries(stack, marks, clock, random)
    this.flights = new FlightTable(marks)
    this.versions = new Versions(clock, marks, this, stack)
    this.demands = new LookupDemands(this, origin)
  }

  /** A time of day that does not step back: see `SteadyClock`. */
  now(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  /** For how long something takes: not moved by a clock that is set. */
  stopwatch(): number {
    return monotonicMillis(this.clock)
  }

  /** An entry for users of the larder: its times are of the time of day as it is now. */
  inTimeOfDay<A>(entry: Entry<A>): Entry<A> {
    return shift(entry, -this.clock.behindUnsafe())
  }

  /** A pause in work of the larder, which does not keep the process alive. */
  sleep(millis: number): Effect.Effect<void> {
    return this.clock.pause(Duration.millis(millis))
  }
}
