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

type Request<A> = Effect.Effect<A, Tier.TierError>

const broken = (operation: string) =>
  Effect.fail(new Tier.TierError({ tier: "simulated", operation, cause: new Error("refused") }))

const damaged = (bytes: Uint8Array | undefined): Uint8Array | undefined => {
  if (bytes === undefined) return undefined
  const copy = new Uint8Array(bytes)
  const last = copy.length - 1
  copy[last] = copy[last]! ^ 1
  return copy
}

class Way {
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

  arbiter(arbiter: Tier.Arbiter): Tier.Arbiter {
    const { acquireAll, commitAll, listen, versions } = arbiter
    return {
      acquire: (key, request) =>
        this.request("acquire", arbiter.acquire(key, request), damagedEntry),
      renew: (...args) => this.request("renew", arbiter.renew(...args)),
      release: (...args) => this.request("release", arbiter.release(...args)),
      commit: (...args) => this.request("commit", arbiter.commit(...args)),
      acquireAll:
        acquireAll &&
        ((requests) =>
          this.request("acquire", acquireAll(requests), (all) =>
            all.map((one) => one && damagedEntry(one)),
          )),
      commitAll: commitAll && ((commits) => this.request("commit", commitAll(commits))),
      write: (...args) => this.request("write", arbiter.write(...args)),
      mark: (...args) => this.request("mark", arbiter.mark(...args)),
      marks: (since) => this.request("marks", arbiter.marks(since)),
      versions: versions && ((keys) => this.request("versions", versions(keys))),
      listen: listen && ((receive) => this.#listen(listen, receive)),
    }
  }

  #listen(
    listen: NonNullable<Tier.Arbiter["listen"]>,
    receive: (message: Tier.Message) => void,
  ): ReturnType<typeof listen> {
    return Effect.suspend(() => {
      const { listens, process, receives } = this.options
      listens()
      return listen((message) =>
        process.whenRunning(() => {
          receives(message)
          receive(message)
        }),
      )
    })
  }
}

const damagedEntry = (acquired: Tier.Acquired): Tier.Acquired =>
  acquired._tag === "Newer" ? { ...acquired, envelope: damaged(acquired.envelope)! } : acquired

const storeOver = (way: Way, store: Tier.ByteStore): Tier.ByteStore => ({
  read: (keys) => way.request("read", store.read(keys), (found) => found.map(damaged)),
  put: (...args) => way.request("put", store.put(...args)),
  drop: (...args) => way.request("drop", store.drop(...args)),
  arbiter: store.arbiter && way.arbiter(store.arbiter),
})

/** The tier as a process reaches it. */
export const reached = (tier: Tier.ByteTier, options: WayOptions): Tier.ByteTier => {
  const way = new Way(options)
  return {
    ...tier,
    open: (of) => {
      options.opened(() => of.notify?.({ _tag: "Connected" }))
      return Effect.map(tier.open(of), (store) => storeOver(way, store))
    },
  }
}

/** A tier of one machine: the same bytes, without an arbiter. */
export const asFile = (tier: Tier.ByteTier): Tier.ByteTier => ({
  ...tier,
  name: "file",
  scope: "machine",
  abilities: { notifies: false },
  open: (of) => Effect.map(tier.open(of), (store) => ({ ...store, arbiter: undefined })),
})
