/**
 * Two or three nodes over one shared tier, under a sequence of steps, watched by the model.
 * Everything happens in virtual time and from one seed.
 */
import {
  EarlyRefresh,
  Larder,
  MemoryTier,
  Policy,
  type Tier,
  TierStack,
  Upstream,
} from "@larder/core"
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
import { Faults, fileLayer, wayToShared } from "./faultyTier.ts"
import { type Caller, type Change, type Knowledge, type Made, Model, type Moment } from "./model.ts"
import { type Condition, type Link, Network } from "./network.ts"

/** All times are multiples of this, so that sequences hit boundaries exactly. */
export const unit = 50

const heartbeat = 2 * unit
/** By then a node knows that it may have missed a message. */
const silence = 3 * heartbeat
const hardTimeout = 300
const tierTimeout = 200
const tierBudget = 800
const leaseMillis = 1_000
const closeTimeout = 2_000

export interface NodesConfig {
  readonly nodes: 2 | 3
  readonly overFile: boolean
  readonly freshFor: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  readonly early: boolean
  readonly softTimeout: number | undefined
  readonly tierWrites: "awaited" | "background"
  /** By how much the clock of each node is off, ms. */
  readonly skews: ReadonlyArray<number>
  readonly seed: number
}

type ChangeOf =
  | { readonly _tag: "set" | "expire" | "remove"; readonly key: string }
  | { readonly _tag: "tags"; readonly tags: ReadonlyArray<string>; readonly keepStale: boolean }
  | { readonly _tag: "clear"; readonly keepStale: boolean }

type OfNode =
  | { readonly _tag: "get"; readonly key: string; readonly maxAge: number | undefined }
  | { readonly _tag: "getWithMeta" | "read" | "refresh"; readonly key: string }
  | { readonly _tag: "getMany"; readonly keys: ReadonlyArray<string> }
  | ChangeOf
  | { readonly _tag: "network"; readonly condition: Condition }
  | { readonly _tag: "latency"; readonly fault: "none" | "slow" | "slowAfter" }
  /** The node's process ends and begins again: its memory is empty, its file is as it was. */
  | { readonly _tag: "restart" }
  | { readonly _tag: "skew"; readonly millis: number }

export type NodesStep =
  | (OfNode & { readonly node: number })
  | { readonly _tag: "time"; readonly units: number }
  | { readonly _tag: "interrupt"; readonly index: number }
  | {
      readonly _tag: "upstream"
      readonly answer: "value" | "notModified" | "fails"
      readonly units: number
      readonly tags: ReadonlyArray<string>
    }

/** A clock that shows another time of day, and runs like the given one. */
class SkewedClock implements Clock.Clock {
  skew = 0
  sleeping = 0
  readonly #clock: Clock.Clock

  constructor(clock: Clock.Clock, skew: number) {
    this.#clock = clock
    this.skew = skew
  }

  readonly currentTimeMillisUnsafe = () => this.#clock.currentTimeMillisUnsafe() + this.skew
  readonly currentTimeMillis = Effect.sync(() => this.currentTimeMillisUnsafe())
  readonly currentTimeNanosUnsafe = () => BigInt(this.currentTimeMillisUnsafe()) * 1_000_000n
  readonly currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  readonly monotonicTimeNanosUnsafe = () => this.#clock.monotonicTimeNanosUnsafe()
  readonly monotonicTimeNanos = Effect.sync(() => this.monotonicTimeNanosUnsafe())
  readonly sleep: Clock.Clock["sleep"] = (duration) =>
    Effect.acquireUseRelease(
      Effect.sync(() => (this.sleeping += 1)),
      () => this.#clock.sleep(duration),
      () => Effect.sync(() => (this.sleeping -= 1)),
    )
}

class Source {
  answer: "value" | "notModified" | "fails" = "value"
  units = 0
  tags: ReadonlyArray<string> = []
  readonly #model: Model
  #call = 0

  constructor(model: Model) {
    this.#model = model
  }

  readonly lookup = (key: string, previous: { readonly value: unknown } | undefined) =>
    Effect.suspend(() => {
      const call = (this.#call += 1)
      const { answer, units } = this
      const lookup = this.#model.lookupBegins(call, key, true, false)
      const renews = answer === "notModified" && previous !== undefined
      const value = renews ? Number(previous.value) : this.#model.newValue(key, this.tags)
      const answered = Effect.suspend((): Effect.Effect<number | Upstream.NotModified, string> => {
        if (answer === "fails") {
          this.#model.lookupFailed(lookup)
          return Effect.fail(`down ${call}`)
        }
        this.#model.lookupGave(lookup, value)
        return Effect.succeed(renews ? Upstream.notModified : value)
      })
      const slowly = units === 0 ? answered : Effect.delay(answered, units * unit)
      return Effect.onInterrupt(slowly, () => Effect.sync(() => this.#model.lookupLeft(lookup)))
    })
}

interface Node {
  readonly index: number
  readonly clock: SkewedClock
  readonly faults: Faults
  readonly hasFile: boolean
  readonly open: Effect.Effect<Omit<Opened, "link" | "from" | "isFirst">>
  opened: Opened
  isClosing: boolean
}

interface Opened {
  readonly larder: Larder.Larder<string, number, string>
  readonly scope: Scope.Closeable
  readonly link: Link
  /** When it was opened: its memory was empty then. */
  readonly from: Moment
  /** Its file was empty then too. */
  readonly isFirst: boolean
}

interface Running {
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly what: string
  readonly came: Moment
  interrupted: boolean
}

/** What a node knows of a change by the messages that have arrived, and by their absence. */
const knowledgeOf = ({ hasFile, index, opened }: Node, made: Made, came: Moment): Knowledge => {
  const { change, ended, endedAt, node, settled, version } = made
  if (ended >= came.order) return "none"
  const { from, isFirst, link } = opened
  if (node === index) return made.begun > from.order || settled ? "known" : "none"
  if (!settled) return "none"
  // What the file has from before the node began may be served if upstream fails.
  if (ended < from.order) return hasFile ? "suspected" : "known"
  const isHeard =
    "key" in change
      ? link.hasHeard(change.key, version, came.at, came.order)
      : link.hasHeardMark(version, came.at, came.order)
  // Nor does a node know whether its file has the key from before: it drops nothing that it only hears of.
  if (isHeard) return hasFile && !isFirst ? "suspected" : "known"
  if (came.at <= endedAt + silence) return "none"
  // In a gap since before the change: what the node has read since then is fresh for it.
  return link.lastBeat(came.at) + silence <= endedAt ? "none" : "suspected"
}

class NodesWorld {
  readonly config: NodesConfig
  readonly model: Model
  readonly network: Network
  readonly source: Source
  readonly nodes: ReadonlyArray<Node>
  #running: Array<Running> = []

  constructor(
    config: NodesConfig,
    model: Model,
    network: Network,
    source: Source,
    nodes: ReadonlyArray<Node>,
  ) {
    this.config = config
    this.model = model
    this.network = network
    this.source = source
    this.nodes = nodes
  }

  /**
   * Each call of a node has a millisecond of its own. In one and the same, the arbiter gives neighbouring
   * versions, and a node that chooses a version next to one of them may choose another node's.
   */
  take(step: NodesStep): Effect.Effect<void> {
    if (step._tag === "time") return this.pass(step.units)
    const taken =
      "node" in step
        ? Effect.andThen(
            TestClock.adjust(1),
            this.#takeAt(this.nodes[step.node % this.nodes.length]!, step),
          )
        : this.#takeAll(step)
    return Effect.andThen(taken, settled)
  }

  #takeAll(
    step: Extract<NodesStep, { readonly _tag: "interrupt" | "upstream" }>,
  ): Effect.Effect<void> {
    return Effect.sync(() => {
      if (step._tag === "interrupt") return this.#interrupt(step.index)
      const { answer, tags, units } = step
      Object.assign(this.source, { answer, tags, units })
    })
  }

  #takeAt(node: Node, step: OfNode): Effect.Effect<void> {
    switch (step._tag) {
      case "get":
        return this.#get(node, step.key, step.maxAge)
      case "getWithMeta":
        return this.#getWithMeta(node, step.key)
      case "getMany":
        return this.#getMany(node, step.keys)
      case "read":
        return this.#read(node, step.key)
      case "refresh":
        return this.#refresh(node, step.key)
      case "set":
      case "expire":
      case "remove":
      case "tags":
      case "clear":
        return this.#change(node, step)
      case "network":
        return Effect.sync(() => this.network.turn(node.index, step.condition))
      case "latency":
        return Effect.sync(() => node.faults.turn(step.fault, "all"))
      case "skew":
        return Effect.sync(() => this.#setClock(node, step.millis))
      case "restart":
        return this.#restart(node)
    }
  }

  /** Not while a caller waits with a `maxAge`, which is measured by the clock at its arrival. */
  #setClock(node: Node, millis: number): void {
    if (this.#running.every(({ what }) => !what.startsWith("get with"))) node.clock.skew = millis
  }

  pass(units: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (let i = 0; i < Math.max(1, units); i++) {
        yield* TestClock.adjust(units === 0 ? 0 : unit)
        yield* settled
        this.model.checkLookups()
      }
    })
  }

  /** Runs a step as a separate caller. */
  #start(node: Node, what: string, body: (came: Moment) => Effect.Effect<void>) {
    return Effect.gen({ self: this }, function* () {
      const came = this.model.moment(node.index)
      const fiber = yield* Effect.forkDetach(body(came), { startImmediately: true })
      const running: Running = { fiber, what: `${what} at ${node.index}`, came, interrupted: false }
      this.#running.push(running)
      fiber.addObserver((exit) => {
        this.#running = this.#running.filter((other) => other !== running)
        if (Exit.isFailure(exit) && !running.interrupted) {
          this.model.violated("law 6", `${running.what} ended with ${Cause.pretty(exit.cause)}`)
        }
      })
    })
  }

  #interrupt(index: number): void {
    const running = this.#running[index % Math.max(1, this.#running.length)]
    if (running === undefined) return
    running.interrupted = true
    this.model.someoneLeft = true
    running.fiber.interruptUnsafe()
  }

  #get(node: Node, key: string, maxAge: number | undefined) {
    const what = maxAge === undefined ? `get ${key}` : `get with maxAge ${key}`
    return this.#start(node, what, (came) => {
      const caller = callerOf(key, came, { maxAge })
      const asked = node.opened.larder.get(key, maxAge === undefined ? undefined : { maxAge })
      return this.#answered(node, caller, asked, (value) =>
        this.model.checkGiven(caller, value, undefined),
      )
    })
  }

  #getWithMeta(node: Node, key: string) {
    return this.#start(node, `getWithMeta ${key}`, (came) => {
      const caller = callerOf(key, came)
      const asked = node.opened.larder.getWithMeta(key)
      return this.#answered(node, caller, asked, ({ freshness, value }) => {
        if (freshness._tag === "Missing") this.model.violated("getWithMeta", `${value} is Missing`)
        else this.model.checkGiven(caller, value, freshness._tag)
      })
    })
  }

  #getMany(node: Node, keys: ReadonlyArray<string>) {
    return this.#start(node, `getMany ${keys}`, (came) =>
      Effect.flatMap(node.opened.larder.getMany(keys), (exits) =>
        Effect.forEach(
          keys,
          (key) => {
            const caller = callerOf(key, came, { many: true })
            return this.#answered(node, caller, exits.get(key) ?? Exit.die("no exit"), (value) =>
              this.model.checkGiven(caller, value, undefined),
            )
          },
          { discard: true },
        ),
      ),
    )
  }

  #refresh(node: Node, key: string) {
    return this.#start(node, `refresh ${key}`, (came) => {
      const caller = callerOf(key, came, { insists: true })
      this.model.changeBegins({ _tag: "refresh", key }, node.index)(true)
      return this.#answered(node, caller, node.opened.larder.refresh(key), (value) =>
        this.model.checkGiven(caller, value, undefined),
      )
    })
  }

  #read(node: Node, key: string) {
    return this.#start(node, `read ${key}`, (came) =>
      orClosed(
        node,
        Effect.map(Effect.orDie(node.opened.larder.read(key)), ({ entry, freshness }) => {
          if (entry !== undefined && freshness._tag !== "Missing") {
            this.model.checkRead(key, came, entry.value, freshness._tag)
          }
        }),
      ),
    )
  }

  #answered<A>(
    node: Node,
    caller: Caller,
    asked: Effect.Effect<A, unknown>,
    given: (answer: A) => void,
  ): Effect.Effect<void> {
    return Effect.matchCauseEffect(asked, {
      onSuccess: (answer) => Effect.sync(() => given(answer)),
      onFailure: (cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.failCause(cause as Cause.Cause<never>)
          : Effect.sync(() => this.#failed(node, caller, Cause.squash(cause))),
    })
  }

  #failed(node: Node, caller: Caller, error: unknown): void {
    if (error instanceof Larder.LarderClosed && node.isClosing) return
    const call = typeof error === "string" ? /^down (\d+)$/.exec(error)?.[1] : undefined
    if (call !== undefined) this.model.checkFailed(caller, Number(call))
    else if (!(error instanceof Larder.LookupTimeout)) {
      this.model.violated("law 6", `${caller.key} failed with ${String(error)}`)
    }
  }

  #change(node: Node, step: ChangeOf) {
    return this.#start(node, step._tag, () => {
      const value = step._tag === "set" ? this.model.newValue(step.key, this.source.tags) : 0
      const done = this.model.changeBegins(changeOf(step, value), node.index)
      return orClosed(
        node,
        Effect.map(Effect.orDie(apply(node.opened.larder, step, value)), (ack) => {
          done(ack.settled, ack.version)
          if (!ack.settled && this.config.tierWrites === "awaited") {
            this.model.violated("law 15", `${step._tag} at ${node.index} is not settled`)
          }
        }),
      )
    })
  }

  #restart(node: Node): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      yield* this.#shut(node)
      yield* openAgain(this.model, this.network, node)
    })
  }

  #shut(node: Node): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      node.isClosing = true
      const closing = yield* Effect.forkDetach(Scope.close(node.opened.scope, Exit.void), {
        startImmediately: true,
      })
      for (let i = 0; i < closeTimeout / unit && closing.pollUnsafe() === undefined; i++) {
        yield* this.pass(1)
      }
      if (closing.pollUnsafe() === undefined)
        this.model.violated("law 22", "closing takes too long")
    })
  }

  /** When all is quiet and delivered, all nodes answer the same, and ask upstream at most once per key. */
  agree(keys: ReadonlyArray<string>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (const { faults, index } of this.nodes) {
        this.network.turn(index, "prompt")
        faults.turn("none", "all")
      }
      Object.assign(this.source, { answer: "value", units: 0, tags: [] })
      yield* this.pass((2 * leaseMillis + silence) / unit)
      for (const { what } of this.#running) this.model.violated("law 9", `${what} never ended`)
      for (const key of keys) {
        const before = yield* Effect.forEach(this.nodes, (node) => this.#freshAt(node, key))
        this.#checkSame(
          `fresh ${key}`,
          before.filter((value) => value !== undefined),
        )
        const asked = this.model.lookups
        yield* Effect.forEach(this.nodes, (node) => this.#gotAt(node, key))
        yield* settled
        const after = yield* Effect.forEach(this.nodes, (node) => this.#gotAt(node, key))
        this.#checkSame(key, after)
        const lookups = this.model.lookups - asked
        if (lookups > 1 && !this.config.early) {
          this.model.violated("law 7", `${lookups} lookups of ${key} in all nodes`)
        }
      }
    })
  }

  #checkSame(what: string, values: ReadonlyArray<number | undefined>): void {
    if (new Set(values).size > 1) this.model.violated("agreement", `${what} is ${values}`)
  }

  #freshAt({ opened }: Node, key: string): Effect.Effect<number | undefined> {
    return Effect.map(Effect.orDie(opened.larder.read(key)), ({ entry, freshness }) =>
      freshness._tag === "Fresh" ? entry?.value : undefined,
    )
  }

  #gotAt({ index, opened }: Node, key: string): Effect.Effect<number | undefined> {
    return Effect.gen({ self: this }, function* () {
      const fiber = yield* Effect.forkDetach(Effect.exit(opened.larder.get(key)), {
        startImmediately: true,
      })
      for (let i = 0; i < 4 && fiber.pollUnsafe() === undefined; i++) yield* settled
      const exit = fiber.pollUnsafe()
      if (exit !== undefined && Exit.isSuccess(exit) && Exit.isSuccess(exit.value)) {
        return exit.value.value
      }
      this.model.violated("liveness", `${key} is not to be had at ${index}`)
      fiber.interruptUnsafe()
      return undefined
    })
  }

  /** Law 22: after all nodes have closed nothing of them runs. */
  get close(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (const node of this.nodes) yield* this.#shut(node)
      yield* TestClock.adjust(leaseMillis)
      const { model } = this
      for (const { what } of this.#running) model.violated("law 22", `${what} waits after the end`)
      for (const { clock, index } of this.nodes) {
        if (clock.sleeping > 0) model.violated("law 22", `${clock.sleeping} sleep at ${index}`)
      }
      if (model.running > 0) model.violated("law 22", `${model.running} lookups run`)
    })
  }
}

/** Lets fibers run that messages, answers and callers have woken. */
const settled = Effect.forEach(Array.from({ length: 6 }), () => Effect.yieldNow, { discard: true })

const callerOf = (
  key: string,
  came: Moment,
  options: Partial<Omit<Caller, "key" | "came">> = {},
): Caller => ({
  key,
  came,
  maxAge: undefined,
  allowStale: true,
  insists: false,
  many: false,
  ...options,
})

const changeOf = (step: ChangeOf, value: number): Change => {
  if ("tags" in step || step._tag === "clear") return step
  const { _tag, key } = step
  return _tag === "set" ? { _tag, key, value } : { _tag, key }
}

const apply = (larder: Opened["larder"], step: ChangeOf, value: number) => {
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

/** A call that the closing of its node ends has no answer. */
const orClosed = (node: Node, effect: Effect.Effect<void>): Effect.Effect<void> => {
  const { opened } = node
  return Effect.catchDefect(effect, (defect) =>
    defect instanceof Larder.LarderClosed && (node.isClosing || node.opened !== opened)
      ? Effect.void
      : Effect.die(defect),
  )
}

const openAgain = (model: Model, network: Network, node: Node): Effect.Effect<void> =>
  Effect.gen(function* () {
    const from = model.moment(node.index)
    const link = network.opens(node.index)
    const isFirst = node.opened === undefined
    node.opened = { ...(yield* node.open), link, from, isFirst }
    node.isClosing = false
    yield* settled
  })

const policyOf = ({
  early,
  freshFor,
  softTimeout,
  staleIfError,
  staleWhileRevalidate,
  tierWrites,
}: NodesConfig) =>
  Policy.make({
    freshFor,
    staleWhileRevalidate,
    staleIfError,
    earlyRefresh: early ? EarlyRefresh.after(0.5) : EarlyRefresh.none,
    softTimeout,
    hardTimeout,
    retryAfterFailure: 100,
    tierTimeout,
    tierBudget,
    tierWrites,
  })

const built = (layer: Layer.Layer<Tier.Tier>) =>
  Effect.map(Layer.build(layer), (context) => Layer.succeedContext(context))

export const nodesViolations = (
  config: NodesConfig,
  steps: ReadonlyArray<NodesStep>,
  keys: ReadonlyArray<string>,
): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function* () {
    yield* TestClock.setTime(1_000_000_000)
    const clock = yield* Clock.Clock
    const now = () => clock.currentTimeMillisUnsafe()
    const nodes: Array<Node> = []
    const { freshFor, seed, softTimeout = Infinity, staleIfError, staleWhileRevalidate } = config
    const times = {
      freshFor,
      staleWhileRevalidate,
      staleIfError,
      softTimeout,
      hardTimeout,
      // A failure reaches the arbiter, and the arbiter's answer another node, a little later.
      failureCounts: 100 + tierBudget,
      sheds: false,
    }
    const model = new Model(times, now, (made, came) => knowledgeOf(nodes[came.node]!, made, came))
    model.flightsWait = tierBudget + leaseMillis
    model.hasNodes = true
    const order = () => model.moment().order
    const network = new Network(config.nodes, { now, order, unit, seed })
    const source = new Source(model)
    const shared = yield* built(
      MemoryTier.layerSharedWith({ heartbeat, network, leaseTime: leaseMillis }),
    )
    for (let index = 0; index < config.nodes; index++) {
      const faults = new Faults()
      const file = yield* built(fileLayer(new Faults()))
      const way = wayToShared(faults, shared)
      const stack = config.overFile
        ? TierStack.layer(MemoryTier.layer(), file, way)
        : TierStack.layer(MemoryTier.layer(), way)
      const skewed = new SkewedClock(clock, config.skews[index] ?? 0)
      const make = Larder.make({
        name: "nodes",
        value: Schema.Finite,
        policy: policyOf(config),
        tags: (value) => model.tagsOf(value),
        closeTimeout,
        upstream: Upstream.make({ lookup: source.lookup }),
      })
      const open = Effect.gen(function* () {
        const scope = yield* Scope.make()
        return { larder: yield* make.pipe(Scope.provide(scope)), scope }
      }).pipe(Effect.provide(stack), Effect.provideService(Clock.Clock, skewed))
      const hasFile = config.overFile
      const node = { index, clock: skewed, faults, hasFile, open, isClosing: false } as Node
      nodes.push(node)
      yield* openAgain(model, network, node)
    }
    const world = new NodesWorld(config, model, network, source, nodes)
    for (const step of steps) yield* world.take(step)
    yield* world.agree(keys)
    yield* world.close
    return model.violations
  }).pipe(
    Effect.scoped,
    Random.withSeed(config.seed),
    Effect.provideService(References.MinimumLogLevel, "None"),
    Effect.provide(TestClock.layer()),
  )
