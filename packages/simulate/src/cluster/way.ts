/** The way of one process to a tier: requests and answers that take time, get lost, and fail. */
import { Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import type { Process } from "../engine/process.ts"
import { lateMillis, type RequestCondition, requestConditions, slowMillis } from "../plan/Plan.ts"
import type { Choices } from "@larder/traces/choices"

/** What a way does to requests now; shared by all processes of a node, one after the other. */
export interface Conditions {
  condition: RequestCondition
  isPartitioned: boolean
}

export interface WayOptions {
  readonly process: Process
  readonly conditions: Conditions
  readonly random: Choices
  /** ms, each way. */
  readonly latency: number
  /** Waits while the tier stands still. */
  readonly awake: Effect.Effect<void>
  /** A request was answered. */
  readonly answered: () => void
  /** The larder has opened the tier; the given function tells it that a lost connection is back. */
  readonly opened: (reconnected: () => void) => void
  /** The subscription of the process begins. */
  readonly listens: () => void
  readonly receives: (message: Tier.Message) => void
}

type Single = Exclude<RequestCondition, "lossy">

const single = requestConditions.filter((condition) => condition !== "lossy")

export type Request<A> = Effect.Effect<A, Tier.TierError>

/** What is between a process and a tier. */
export interface Road {
  /** Carries a request; `damage` is what damaged bytes do to its answer. */
  readonly request: <A>(
    operation: string,
    request: Request<A>,
    damage?: (answer: A) => A,
  ) => Request<A>
  /** The larder opens the tier; the given function tells it that a lost connection is back. */
  readonly opened: (reconnected: () => void) => void
  /** A subscription begins. */
  readonly listens: () => void
  /** A message has arrived; `pass` gives it to the larder. */
  readonly arrives: (message: Tier.Message, pass: () => void) => void
}

const broken = (operation: string) =>
  Effect.fail(new Tier.TierError({ tier: "simulated", operation, cause: new Error("refused") }))

const damaged = (bytes: Uint8Array | undefined): Uint8Array | undefined => {
  if (bytes === undefined) return undefined
  const copy = new Uint8Array(bytes)
  const last = copy.length - 1
  copy[last] = copy[last]! ^ 1
  return copy
}

/** A road on which requests and answers take time, get lost, and fail. */
class Way implements Road {
  readonly options: WayOptions

  constructor(options: WayOptions) {
    this.options = options
  }

  request<A>(
    operation: string,
    request: Request<A>,
    damage: (answer: A) => A = (answer) => answer,
  ): Request<A> {
    return Effect.suspend(() => {
      const { answered, awake, conditions, latency, random } = this.options
      if (conditions.isPartitioned) return Effect.never
      const condition =
        conditions.condition === "lossy" ? random.pick(single) : conditions.condition
      const reached = Effect.andThen(awake, request)
      const travelled =
        latency === 0 ? reached : Effect.tap(Effect.delay(reached, latency), Effect.sleep(latency))
      return Effect.tap(this.#under(condition, operation, travelled, damage), Effect.sync(answered))
    })
  }

  #under<A>(
    condition: Single,
    operation: string,
    request: Request<A>,
    damage: (answer: A) => A,
  ): Request<A> {
    switch (condition) {
      case "prompt":
        return request
      case "slow":
        return Effect.delay(request, slowMillis)
      case "slowAnswer":
        return Effect.tap(request, Effect.sleep(slowMillis))
      case "lost":
        return Effect.never
      case "refused":
        return broken(operation)
      case "failsLate":
        return Effect.delay(broken(operation), slowMillis)
      case "answerLost":
        return Effect.andThen(request, Effect.never)
      case "failsAfter":
        return Effect.andThen(request, broken(operation))
      case "lateCommit":
        return operation === "commit"
          ? Effect.uninterruptible(Effect.delay(request, lateMillis))
          : request
      case "corrupt":
        return Effect.map(request, damage)
    }
  }

  opened(reconnected: () => void): void {
    this.options.opened(reconnected)
  }

  listens(): void {
    this.options.listens()
  }

  arrives(message: Tier.Message, pass: () => void): void {
    this.options.process.whenRunning(() => {
      this.options.receives(message)
      pass()
    })
  }
}

const damagedEntry = (acquired: Tier.Acquired): Tier.Acquired =>
  acquired._tag === "Newer" ? { ...acquired, envelope: damaged(acquired.envelope)! } : acquired

const listenOver =
  (road: Road, listen: NonNullable<Tier.Arbiter["listen"]>): typeof listen =>
  (receive) =>
    Effect.suspend(() => {
      road.listens()
      return listen((message) => road.arrives(message, () => receive(message)))
    })

const arbiterOver = (road: Road, arbiter: Tier.Arbiter): Tier.Arbiter => {
  const { acquireAll, commitAll, listen, versions } = arbiter
  return {
    acquire: (key, request) => road.request("acquire", arbiter.acquire(key, request), damagedEntry),
    renew: (...args) => road.request("renew", arbiter.renew(...args)),
    release: (...args) => road.request("release", arbiter.release(...args)),
    commit: (...args) => road.request("commit", arbiter.commit(...args)),
    acquireAll:
      acquireAll &&
      ((requests) =>
        road.request("acquire", acquireAll(requests), (all) =>
          all.map((one) => one && damagedEntry(one)),
        )),
    commitAll: commitAll && ((commits) => road.request("commit", commitAll(commits))),
    write: (...args) => road.request("write", arbiter.write(...args)),
    mark: (...args) => road.request("mark", arbiter.mark(...args)),
    marks: (since) => road.request("marks", arbiter.marks(since)),
    versions: versions && ((keys) => road.request("versions", versions(keys))),
    listen: listen && listenOver(road, listen),
  }
}

const storeOver = (road: Road, store: Tier.ByteStore): Tier.ByteStore => ({
  partOf: store.partOf,
  read: (keys) => road.request("read", store.read(keys), (found) => found.map(damaged)),
  put: (...args) => road.request("put", store.put(...args)),
  drop: (...args) => road.request("drop", store.drop(...args)),
  keys: store.keys && ((...args) => road.request("read", store.keys!(...args))),
  arbiter: store.arbiter && arbiterOver(road, store.arbiter),
})

/** The tier as a process reaches it. */
export const over = (tier: Tier.ByteTier, road: Road): Tier.ByteTier => ({
  ...tier,
  open: (of) => {
    road.opened(() => of.notify?.({ _tag: "Connected" }))
    return Effect.map(tier.open(of), (store) => storeOver(road, store))
  },
})

/** The tier over a simulated way. */
export const reached = (tier: Tier.ByteTier, options: WayOptions): Tier.ByteTier =>
  over(tier, new Way(options))

/** A tier of one machine: the same bytes, without an arbiter. */
export const asFile = (tier: Tier.ByteTier): Tier.ByteTier => ({
  ...tier,
  name: "file",
  scope: "machine",
  abilities: { notifies: false },
  open: (of) => Effect.map(tier.open(of), (store) => ({ ...store, arbiter: undefined })),
})
