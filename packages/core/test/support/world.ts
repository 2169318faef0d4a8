/**
 * One larder, its upstream and its tiers under a sequence of steps, watched by
 * the model. Everything happens in virtual time and from one seed.
 */
import { EarlyRefresh, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import {
  Cause,
  Clock,
  Effect,
  Exit,
  type Fiber,
  Layer,
  Random,
  References,
  Schema,
  Scope,
} from "effect"
import { TestClock } from "effect/testing"
import {
  type Fault,
  Faults,
  fileLayer as fileTier,
  layer as faultyTier,
  type Reach,
} from "./faultyTier.ts"
import { type Caller, type Change, type Lookup, Model, type Moment, type Times } from "./model.ts"

/** All times are multiples of this, so that sequences hit boundaries exactly. */
export const unit = 50

export interface Config {
  readonly stack: "memory" | "memory and shared" | "shared" | "memory and file" | "all three"
  readonly freshFor: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  readonly jitter: number
  readonly early: "none" | "after" | "xfetch"
  readonly softTimeout: number | undefined
  readonly retryAfterFailure: number
  readonly failureFor: number | undefined
  readonly tierWrites: "awaited" | "background"
  readonly bulk: boolean
  readonly bounded: boolean
  /** Whether the larder closes in the middle of the sequence, instead of after recovery. */
  readonly abrupt: boolean
  readonly seed: number
}

export type Answer = "value" | "notModified" | "fails" | "defect" | "hangs" | "disobeys" | "partial"

type ChangeStep =
  | { readonly _tag: "set" | "expire" | "remove"; readonly key: string }
  | { readonly _tag: "tags"; readonly tags: ReadonlyArray<string>; readonly keepStale: boolean }
  | { readonly _tag: "clear"; readonly keepStale: boolean }

export type Step =
  | {
      readonly _tag: "get"
      readonly key: string
      readonly maxAge: number | undefined
      readonly allowStale: boolean
    }
  | { readonly _tag: "getWithMeta" | "read" | "refresh"; readonly key: string }
  | ChangeStep
  | { readonly _tag: "getMany"; readonly keys: ReadonlyArray<string> }
  | { readonly _tag: "time"; readonly units: number }
  | { readonly _tag: "interrupt"; readonly index: number }
  | {
      readonly _tag: "upstream"
      readonly answer: Answer
      readonly units: number
      readonly tags: ReadonlyArray<string>
    }
  | {
      readonly _tag: "fault"
      readonly fault: Fault
      readonly reach: Reach
      readonly where: keyof Tiers
    }
  /** The process ends and begins again: memory is empty, the tiers behind it are as they were. */
  | { readonly _tag: "restart" }

/** The faults of each tier behind memory. */
interface Tiers {
  readonly file: Faults
  readonly shared: Faults
}

const hardTimeout = 300
const tierTimeout = 100
const tierBudget = 200
const leaseMillis = 10_000
const closeTimeout = 5_000
const breakerOpen = 5_000
const maxEntries = 2
const maxWeight = 4
const weigh = (value: unknown) => (Number(value) % 3 === 0 ? 3 : 1)

const timesOf = (config: Config): Times => ({
  freshFor: config.freshFor,
  staleWhileRevalidate: config.staleWhileRevalidate,
  staleIfError: config.staleIfError,
  softTimeout: config.softTimeout ?? Infinity,
  hardTimeout,
  // The arbiter hears of a failure a little later.
  failureCounts:
    Math.max(config.retryAfterFailure, config.failureFor ?? 0) +
    (config.stack === "memory" ? 0 : tierBudget),
  sheds: config.bounded,
})

const policyOf = (config: Config) =>
  Policy.make({
    freshFor: config.freshFor,
    staleWhileRevalidate: config.staleWhileRevalidate,
    staleIfError: config.staleIfError,
    jitter: config.jitter,
    earlyRefresh: {
      none: EarlyRefresh.none,
      after: EarlyRefresh.after(0.5),
      xfetch: EarlyRefresh.xfetch(),
    }[config.early],
    softTimeout: config.softTimeout,
    hardTimeout,
    retryAfterFailure: config.retryAfterFailure,
    tierTimeout,
    tierBudget,
    tierWrites: config.tierWrites,
  })

const stackOf = (config: Config, { file, shared }: Tiers) => {
  const memory = MemoryTier.layer({ maxEntries, maxWeight, weigh })
  const stacks = {
    memory: () => TierStack.layer(memory),
    "memory and shared": () => TierStack.layer(memory, faultyTier(shared)),
    shared: () => TierStack.layer(faultyTier(shared)),
    "memory and file": () => TierStack.layer(memory, fileTier(file)),
    "all three": () => TierStack.layer(memory, fileTier(file), faultyTier(shared)),
  }
  return stacks[config.stack]()
}

/** The clock, which counts the fibers that sleep by it. */
class CountingClock implements Clock.Clock {
  sleeping = 0
  readonly #clock: Clock.Clock
  readonly currentTimeMillis: Clock.Clock["currentTimeMillis"]
  readonly currentTimeNanos: Clock.Clock["currentTimeNanos"]
  readonly monotonicTimeNanos: Clock.Clock["monotonicTimeNanos"]

  constructor(clock: Clock.Clock) {
    this.#clock = clock
    this.currentTimeMillis = clock.currentTimeMillis
    this.currentTimeNanos = clock.currentTimeNanos
    this.monotonicTimeNanos = clock.monotonicTimeNanos
  }

  currentTimeMillisUnsafe = () => this.#clock.currentTimeMillisUnsafe()
  currentTimeNanosUnsafe = () => this.#clock.currentTimeNanosUnsafe()
  monotonicTimeNanosUnsafe = () => this.#clock.monotonicTimeNanosUnsafe()

  sleep: Clock.Clock["sleep"] = (duration) =>
    Effect.acquireUseRelease(
      Effect.sync(() => (this.sleeping += 1)),
      () => this.#clock.sleep(duration),
      () => Effect.sync(() => (this.sleeping -= 1)),
    )
}

/** The source of truth: each value is a new number, or the previous one again. */
class Source {
  answer: Answer = "value"
  units = 0
  tags: ReadonlyArray<string> = []
  readonly #model: Model
  #call = 0

  constructor(model: Model) {
    this.#model = model
  }

  readonly lookup = (key: string, previous: { readonly value: unknown } | undefined) =>
    Effect.suspend(() => {
      const [lookup] = this.#begin([key])
      const renews = this.answer === "notModified" && previous !== undefined
      const value = renews ? Number(previous.value) : this.#model.newValue(key, this.tags)
      const answered = Effect.sync((): number | Upstream.NotModified => {
        this.#model.lookupGave(lookup!, value)
        return renews ? Upstream.notModified : value
      })
      return this.#behave([lookup!], answered)
    })

  readonly lookupMany = (keys: ReadonlyArray<string>) =>
    Effect.suspend(() => {
      const lookups = this.#begin(keys)
      const { answer } = this
      const values = keys.map((key) => this.#model.newValue(key, this.tags))
      const answered = Effect.sync(() => {
        const found = new Map<string, number>()
        for (const [i, lookup] of lookups.entries()) {
          if (answer === "partial" && i === 0) {
            this.#model.lookupFailed(lookup)
            continue
          }
          this.#model.lookupGave(lookup, values[i]!)
          found.set(lookup.key, values[i]!)
        }
        return found
      })
      return this.#behave(lookups, answered)
    })

  #begin(keys: ReadonlyArray<string>): ReadonlyArray<Lookup> {
    this.#call += 1
    return keys.map((key) =>
      this.#model.lookupBegins(this.#call, key, this.answer !== "disobeys", keys.length > 1),
    )
  }

  #behave<A>(lookups: ReadonlyArray<Lookup>, answered: Effect.Effect<A>): Effect.Effect<A, string> {
    const call = this.#call
    const forAll = (f: (lookup: Lookup) => void) => Effect.sync(() => lookups.forEach(f))
    const fails = forAll((lookup) => this.#model.lookupFailed(lookup))
    const delay = this.units * unit
    const slowly = <B, E>(effect: Effect.Effect<B, E>) =>
      delay === 0 ? effect : Effect.delay(effect, delay)
    const left = forAll((lookup) => this.#model.lookupLeft(lookup))
    switch (this.answer) {
      case "value":
      case "notModified":
      case "partial":
        return Effect.onInterrupt(slowly(answered), () => left)
      case "fails":
        return Effect.onInterrupt(
          slowly(Effect.andThen(fails, Effect.fail(`down ${call}`))),
          () => left,
        )
      case "defect":
        return Effect.onInterrupt(
          slowly(Effect.andThen(fails, Effect.die(`down ${call}`))),
          () => left,
        )
      case "hangs":
        return Effect.onInterrupt(Effect.never, () => left)
      case "disobeys":
        return Effect.uninterruptible(
          Effect.sleep(hardTimeout).pipe(
            Effect.andThen(fails),
            Effect.andThen(Effect.delay(answered, 2 * unit)),
          ),
        )
    }
  }
}

type TheLarder = Larder.Larder<string, number, string | Upstream.Shed>

interface Opened {
  readonly larder: TheLarder
  readonly scope: Scope.Closeable
}

const changeOf = (step: ChangeStep, value: number): Change => {
  if ("tags" in step || step._tag === "clear") return step
  const { _tag, key } = step
  return _tag === "set" ? { _tag, key, value } : { _tag, key }
}

interface Running {
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly what: string
  readonly came: Moment
  readonly bound: () => number
  interrupted: boolean
}

class World {
  readonly config: Config
  readonly model: Model
  readonly tiers: Tiers
  readonly source: Source
  readonly clock: CountingClock
  /** Makes the larder over the same tiers as before. */
  readonly open: Effect.Effect<Opened>
  #opened: Opened
  /** The last moment at which a fault was on. */
  #faultyAt = -Infinity
  #running: Array<Running> = []

  constructor(
    config: Config,
    model: Model,
    tiers: Tiers,
    source: Source,
    clock: CountingClock,
    open: Effect.Effect<Opened>,
    opened: Opened,
  ) {
    this.config = config
    this.model = model
    this.tiers = tiers
    this.source = source
    this.clock = clock
    this.open = open
    this.#opened = opened
  }

  get larder(): TheLarder {
    return this.#opened.larder
  }

  get #isFaulty(): boolean {
    return this.tiers.file.current !== "none" || this.tiers.shared.current !== "none"
  }

  get #now(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  get #wasEverFaulty(): boolean {
    return this.#faultyAt > -Infinity
  }

  /** The bound of law 9. Without faults no caller waits for a lease. */
  get #bound(): number {
    const waits = this.config.stack !== "memory" && this.#wasEverFaulty ? leaseMillis : 0
    return tierBudget + waits + 2 * hardTimeout + this.#queued
  }

  /** The time for values queued in the background, which are written first. */
  get #queued(): number {
    return this.config.tierWrites === "background" ? 4 * tierTimeout : 0
  }

  take(step: Step): Effect.Effect<void> {
    this.#mindFaults()
    switch (step._tag) {
      case "get":
        return this.#ask(step.key, step.maxAge, step.allowStale)
      case "getWithMeta":
        return this.#askWithMeta(step.key)
      case "getMany":
        return this.#askMany(step.keys)
      case "read":
        return this.#look(step.key)
      case "refresh":
        return this.#refresh(step.key)
      case "set":
      case "expire":
      case "remove":
      case "tags":
      case "clear":
        return this.#change(step)
      case "time":
        return this.pass(step.units)
      case "interrupt":
        return Effect.sync(() => this.#interrupt(step.index))
      case "upstream":
        return Effect.sync(() => Object.assign(this.source, { ...step, _tag: undefined }))
      case "fault":
        return Effect.sync(() => {
          const { shared } = this.tiers
          this.tiers[step.where].turn(step.fault, step.reach)
          // The process that was just started had no time to ask for marks.
          if (!isWell(shared) && shared.trips.length === this.#tripsAtRestart) {
            this.model.restarted(false)
          }
        })
      case "restart":
        return this.#restart
    }
  }

  #mindFaults(): void {
    // A lookup begins at upstream when it has a permit, which may be after a change that has detached it.
    const permit = this.config.bounded ? hardTimeout : 0
    this.model.flightsWait = permit + (this.config.stack === "memory" ? 0 : tierBudget)
    if (!this.#isFaulty) return
    this.#faultyAt = this.#now
    this.model.flightsWait = permit + tierBudget + leaseMillis
  }

  /** Lets time pass, and checks the invariants in between. */
  pass(units: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (let i = 0; i < Math.max(1, units); i++) {
        yield* TestClock.adjust(units === 0 ? 0 : unit)
        yield* Effect.yieldNow
        yield* Effect.yieldNow
        this.#mindFaults()
        yield* this.checkNow
      }
    })
  }

  get checkNow(): Effect.Effect<void> {
    return Effect.map(this.larder.stats, ({ entries, weight }) => {
      if (entries > maxEntries || weight > maxWeight) {
        this.model.violated("law 17", `${entries} entries of weight ${weight} in memory`)
      }
      this.model.checkLookups()
    })
  }

  /** Runs a step as a separate caller. */
  #start(what: string, bound: () => number, body: Effect.Effect<void>) {
    return Effect.gen({ self: this }, function* () {
      const came = this.model.moment()
      const fiber = yield* Effect.forkDetach(body, { startImmediately: true })
      const running: Running = { fiber, what, came, bound, interrupted: false }
      this.#running.push(running)
      fiber.addObserver((exit) => this.#ended(running, exit))
    })
  }

  #ended(running: Running, exit: Exit.Exit<unknown, unknown>): void {
    this.#running = this.#running.filter((other) => other !== running)
    const took = this.#now - running.came.at
    // Taken at the end: a fault that came meanwhile leaves leases behind, which the caller waits for.
    if (took > running.bound()) {
      this.model.violated("law 9", `${running.what} took ${took} ms`)
    }
    if (Exit.isFailure(exit) && !running.interrupted) {
      this.model.violated("law 6", `${running.what} ended with ${Cause.pretty(exit.cause)}`)
    }
  }

  #interrupt(index: number): void {
    const running = this.#running[index % Math.max(1, this.#running.length)]
    if (running === undefined) return
    running.interrupted = true
    this.model.someoneLeft = true
    running.fiber.interruptUnsafe()
  }

  #callerOf(key: string, options: Partial<Omit<Caller, "key" | "came">> = {}): Caller {
    return {
      key,
      came: this.model.moment(),
      maxAge: undefined,
      allowStale: true,
      insists: false,
      many: false,
      ...options,
    }
  }

  #ask(key: string, maxAge: number | undefined, allowStale: boolean) {
    return this.#start(
      `get ${key}`,
      () => this.#bound,
      Effect.suspend(() => {
        const caller = this.#callerOf(key, { maxAge, allowStale })
        const options =
          maxAge === undefined && allowStale
            ? undefined
            : { maxAge, stale: allowStale ? ("allow" as const) : ("never" as const) }
        return this.#answered(caller, this.larder.get(key, options), (value) =>
          this.model.checkGiven(caller, value, undefined),
        )
      }),
    )
  }

  #askWithMeta(key: string) {
    return this.#start(
      `getWithMeta ${key}`,
      () => this.#bound,
      Effect.suspend(() => {
        const caller = this.#callerOf(key)
        return this.#answered(caller, this.larder.getWithMeta(key), ({ age, freshness, value }) => {
          if (freshness._tag === "Missing" || age < 0) {
            this.model.violated("getWithMeta", `${value} given as ${freshness._tag} of age ${age}`)
          } else this.model.checkGiven(caller, value, freshness._tag)
        })
      }),
    )
  }

  #refresh(key: string) {
    return this.#start(
      `refresh ${key}`,
      () => this.#bound,
      Effect.suspend(() => {
        const caller = this.#callerOf(key, { insists: true })
        this.model.changeBegins({ _tag: "refresh", key })(true)
        return this.#answered(caller, this.larder.refresh(key), (value) =>
          this.model.checkGiven(caller, value, undefined),
        )
      }),
    )
  }

  #askMany(keys: ReadonlyArray<string>) {
    return this.#start(
      `getMany ${keys}`,
      () => 2 * this.#bound,
      Effect.suspend(() => {
        const callers = keys.map((key) => this.#callerOf(key, { many: true }))
        return Effect.flatMap(this.larder.getMany(keys), (exits) =>
          Effect.forEach(
            callers,
            (caller) =>
              this.#answered(caller, exits.get(caller.key) ?? Exit.die("no exit"), (value) =>
                this.model.checkGiven(caller, value, undefined),
              ),
            { discard: true },
          ),
        )
      }),
    )
  }

  #look(key: string) {
    return this.#start(
      `read ${key}`,
      () => 2 * tierBudget + this.#queued,
      Effect.suspend(() => {
        const came = this.model.moment()
        return Effect.map(Effect.orDie(this.larder.read(key)), ({ entry, freshness }) => {
          if (entry !== undefined && freshness._tag !== "Missing") {
            this.model.checkRead(key, came, entry.value, freshness._tag)
          }
        })
      }),
    )
  }

  #answered<A>(
    caller: Caller,
    asked: Effect.Effect<A, unknown>,
    given: (answer: A) => void,
  ): Effect.Effect<void> {
    return Effect.matchCauseEffect(asked, {
      onSuccess: (answer) => Effect.sync(() => given(answer)),
      onFailure: (cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.failCause(cause as Cause.Cause<never>)
          : this.#failed(caller, Cause.squash(cause)),
    })
  }

  #failed(caller: Caller, error: unknown): Effect.Effect<void> {
    const tag = typeof error === "object" && error !== null && "_tag" in error ? error._tag : ""
    if (tag === "LarderClosed" && this.#isClosing) return Effect.void
    const call = typeof error === "string" ? /^down (\d+)$/.exec(error)?.[1] : undefined
    const waited = this.#now - caller.came.at
    if (call !== undefined) this.model.checkFailed(caller, Number(call))
    else if (tag === "KeyNotReturned") this.model.checkFailed(caller, undefined)
    else if (tag === "LookupTimeout") {
      if (waited < hardTimeout && !this.config.bounded) this.model.checkFailed(caller, undefined)
    } else if (tag !== "Shed" || !this.config.bounded) {
      this.model.violated("law 6", `${caller.key} failed with ${String(error)}`)
    }
    const takesNothingElse = caller.insists || caller.many || !caller.allowStale
    return takesNothingElse ? Effect.void : this.#nothingWasUsable(caller)
  }

  /** Law 6: a caller gets a failure only if there was no value to serve. */
  #nothingWasUsable({ came, key }: Caller): Effect.Effect<void> {
    if (this.#wasEverFaulty || this.#isClosing) return Effect.void
    const now = this.#now
    return Effect.map(Effect.orDie(this.larder.read(key)), ({ entry, freshness }) => {
      if (entry === undefined || freshness._tag === "Missing") return
      const since = this.config.stack === "memory" ? now : came.at
      if (entry.storedAt < since) {
        this.model.violated("law 3", `${key} failed though there was ${entry.value}`)
      }
    })
  }

  /** How many steps in tiers a change takes at most, one after the other. */
  #steps(step: ChangeStep): number {
    const { stack } = this.config
    // Replay, the tier's time, change; of a value, marks of others and once more above them.
    const atArbiter = step._tag === "set" ? 5 : 3
    // In each tier that does not arbitrate: a put, or a drop after it failed.
    const nearer = stack === "all three" ? 2 : 0
    // An `expire` first stores the value that it expires, or drops it.
    const settling = step._tag === "expire" ? 2 : 0
    return atArbiter + nearer + settling
  }

  #change(step: ChangeStep) {
    return this.#start(
      step._tag,
      () => this.#steps(step) * tierTimeout + this.#queued,
      Effect.suspend(() => {
        const value = step._tag === "set" ? this.model.newValue(step.key, this.source.tags) : 0
        const done = this.model.changeBegins(changeOf(step, value))
        const began = this.#now
        const opened = this.#opened
        const applied = Effect.map(
          Effect.orDie(this.#apply(step, value)),
          ({ pending, settled }) => {
            done(settled)
            if (settled !== (pending.length === 0)) {
              this.model.violated("law 15", `settled ${settled}, pending ${pending}`)
            }
            const mayFollow = step._tag === "set" && this.config.tierWrites === "background"
            if (!settled && !mayFollow && this.#faultyAt < began - breakerOpen - tierTimeout) {
              this.model.violated("law 15", `${step._tag} is not settled though all is well`)
            }
          },
        )
        return Effect.catchDefect(applied, (defect) =>
          defect instanceof Larder.LarderClosed && (this.#isClosing || this.#opened !== opened)
            ? Effect.void
            : Effect.die(defect),
        )
      }),
    )
  }

  #apply(step: ChangeStep, value: number) {
    const { larder } = this
    switch (step._tag) {
      case "set":
        return larder.set(step.key, value)
      case "expire":
        return larder.expire(step.key)
      case "remove":
        return larder.remove(step.key)
      case "tags":
        return larder.invalidateTags(step.tags, { keepStale: step.keepStale })
      case "clear":
        return larder.clear({ keepStale: step.keepStale })
    }
  }

  /** When faults have ended and time has passed, everything works as before. */
  recover(keys: ReadonlyArray<string>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (const faults of Object.values(this.tiers)) faults.turn("none", "all")
      Object.assign(this.source, { answer: "value", units: 1, tags: [] })
      yield* TestClock.adjust(4 * leaseMillis)
      yield* this.checkNow
      for (const { what } of this.#running) this.model.violated("law 9", `${what} never ended`)
      for (const key of keys) yield* Effect.orDie(this.larder.remove(key))
      for (const key of keys) yield* this.#worksAgain(key)
      const { inFlight } = yield* this.larder.stats
      if (inFlight !== 0) this.model.violated("liveness", `${inFlight} in flight`)
    })
  }

  #worksAgain(key: string): Effect.Effect<void> {
    const { larder, model } = this
    const { freshFor } = this.config
    return Effect.gen({ self: this }, function* () {
      const { settled } = yield* Effect.orDie(larder.remove(key))
      if (!settled) model.violated("liveness", `remove of ${key} is not settled`)
      const before = model.lookups
      const first = yield* this.#got(key)
      if (model.lookups !== before + 1) {
        model.violated("liveness", `${model.lookups - before} lookups of ${key}, removed before`)
      }
      if (freshFor < 2 * unit || this.config.jitter > 0 || this.config.early !== "none") return
      const again = yield* this.#got(key)
      if (first !== again) model.violated("liveness", `${key} is not kept`)
      // Make room for the next value: a full memory may prefer the entries that it has.
      yield* Effect.orDie(larder.remove(key))
    })
  }

  #got(key: string): Effect.Effect<unknown> {
    return Effect.gen({ self: this }, function* () {
      const fiber = yield* Effect.forkDetach(Effect.exit(this.larder.get(key)), {
        startImmediately: true,
      })
      if (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(unit)
      const exit = fiber.pollUnsafe()
      const isGood = exit !== undefined && Exit.isSuccess(exit) && Exit.isSuccess(exit.value)
      if (!isGood) {
        this.model.violated("liveness", `${key} is not to be had`)
        fiber.interruptUnsafe()
        return undefined
      }
      return exit.value.value
    })
  }

  #isClosing = false
  /** Trips to the shared tier before the last restart, and of the start itself. */
  #tripsAtRestart = -1

  get #restart(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      yield* this.#shut
      yield* TestClock.adjust(unit)
      this.model.restarted(this.config.stack !== "memory and file" && isWell(this.tiers.shared))
      this.#opened = yield* this.open
      this.#tripsAtRestart = this.tiers.shared.trips.length
      this.#isClosing = false
    })
  }

  get #shut(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      this.#isClosing = true
      const closing = yield* Effect.forkDetach(Scope.close(this.#opened.scope, Exit.void), {
        startImmediately: true,
      })
      for (let i = 0; i < closeTimeout / unit && closing.pollUnsafe() === undefined; i++) {
        yield* TestClock.adjust(unit)
      }
      if (closing.pollUnsafe() === undefined)
        this.model.violated("law 22", "closing takes too long")
    })
  }

  get #written(): number {
    return this.tiers.file.written + this.tiers.shared.written
  }

  /** Law 22: no caller waits and no fiber runs after closing. */
  get close(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { model } = this
      yield* this.#shut
      const written = this.#written
      // Lookups that ignore their interruption end within this time.
      yield* TestClock.adjust(leaseMillis)
      for (const { what } of this.#running) model.violated("law 22", `${what} waits after the end`)
      if (this.#written > written) model.violated("law 22", "tiers were written to after the end")
      if (this.clock.sleeping > 0) model.violated("law 22", `${this.clock.sleeping} still sleep`)
      if (model.running > 0) model.violated("law 22", `${model.running} lookups run`)
    })
  }
}

const isWell = ({ current }: Faults): boolean => current === "none"

export const violations = (
  config: Config,
  steps: ReadonlyArray<Step>,
  keys: ReadonlyArray<string>,
): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function* () {
    yield* TestClock.setTime(1_000_000)
    const clock = new CountingClock(yield* Clock.Clock)
    const model = new Model(timesOf(config), () => clock.currentTimeMillisUnsafe())
    const tiers: Tiers = { file: new Faults(), shared: new Faults() }
    const source = new Source(model)
    const stack = yield* Layer.build(stackOf(config, tiers))
    const { failureFor } = config
    const upstream = Upstream.make({
      lookup: source.lookup,
      lookupMany: config.bulk ? source.lookupMany : undefined,
    })
    const make = Larder.make({
      name: "properties",
      value: Schema.Finite,
      policy: policyOf(config),
      tags: (value) => model.tagsOf(value),
      failureFor: failureFor === undefined ? undefined : () => failureFor,
      closeTimeout,
      upstream: config.bounded
        ? Upstream.withConcurrency(upstream, { foreground: 1, background: 1, queue: 1 })
        : upstream,
    })
    const open = Effect.gen(function* () {
      const scope = yield* Scope.make()
      const larder = yield* make.pipe(Scope.provide(scope))
      return { larder, scope }
    }).pipe(Effect.provide(stack), Effect.provideService(Clock.Clock, clock))
    const world = new World(config, model, tiers, source, clock, open, yield* open)
    for (const step of steps) yield* world.take(step)
    if (!config.abrupt) yield* world.recover(keys)
    yield* world.close
    return model.violations
  }).pipe(
    Effect.scoped,
    Random.withSeed(config.seed),
    Effect.provideService(References.MinimumLogLevel, "None"),
    Effect.provide(TestClock.layer()),
  )
