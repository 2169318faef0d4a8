/** The life of a connection, from the first attempt to the close: its state and its last error. */
import { TierLog } from "@larder/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import {
  type Backoff,
  type Client,
  ignore,
  learnNodes,
  main,
  masters,
  watch,
} from "./connection.ts"
import type { Line } from "./line.ts"
import { closingMillis, lineRefillMillis, linesAtOnce } from "../limits.ts"
import { describe, type Settings } from "./options.ts"
import { Reports, worded } from "./reports.ts"

/**
 * The state of a connection; `connecting` only until the first attempt ends.
 *
 * @category models
 * @since 0.1.0
 */
export type State = "connecting" | "ready" | "reconnecting" | "closed"

type Run = (effect: Effect.Effect<void>) => void

export class Life {
  readonly client: Client
  /** The log of the connection. */
  readonly log: TierLog.TierLog
  /** Opens when the first attempt ends, or when it takes too long. */
  readonly started = Latch.makeUnsafe()
  isStarting = true
  isClosed = false
  /** The connection's last error; `undefined` while it works. */
  connectionError: string | undefined
  private isUp = false
  private endings = 0
  private losses = 0
  private isLearning = false
  private readonly listeners = new Set<() => void>()
  private readonly settings: Settings
  private readonly reports: Reports
  private readonly retry: Backoff
  private readonly run: Run

  static of(settings: Settings, retry: Backoff, log: TierLog.TierLog, run: Run): Life {
    const said = new Set<string>()
    const client = main(settings, retry, (message) => {
      if (said.has(message)) return
      said.add(message)
      log.write({ level: "Warn", message })
    })
    return new Life(client, settings, retry, log, run)
  }

  private constructor(
    client: Client,
    settings: Settings,
    retry: Backoff,
    log: TierLog.TierLog,
    run: Run,
  ) {
    this.client = client
    this.settings = settings
    this.log = log
    this.reports = new Reports(log, run)
    this.retry = retry
    this.run = run
    client.on("ready", this.onReady)
    client.on("error", this.onError)
    client.on("close", this.onDown)
    client.on("end", this.onEnd)
    watch(client, this.onConnected, this.onNodeLost)
    // A Cluster reports errors of single nodes separately and keeps working without them.
    client.on("node error", (error: Error) => {
      this.connectionError = worded(error, settings)
    })
  }

  get state(): State {
    if (this.isClosed) return "closed"
    if (this.client.status === "ready") return "ready"
    return this.isStarting ? "connecting" : "reconnecting"
  }

  /** Calls `listener` for each connection that becomes ready, until the scope closes. */
  readonly whenConnected = (listener: () => void): Effect.Effect<void, never, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.sync(() => void this.listeners.add(listener)),
      () => Effect.sync(() => void this.listeners.delete(listener)),
    )

  private readonly onConnected = (): void => {
    this.losses = 0
    for (const listener of this.listeners) listener()
  }

  /** Reloads the slots until the node is back, or the Cluster works without it. */
  private readonly onNodeLost = (): void => {
    if (this.isClosed || this.isLearning) return
    this.isLearning = true
    const learn = Effect.sync(() => {
      this.isLearning = false
      if (!this.isClosed) learnNodes(this.client)
    })
    this.run(Effect.andThen(Effect.sleep(this.retry(++this.losses)), learn))
  }

  readonly start = (): void => {
    this.isStarting = false
    this.started.openUnsafe()
  }

  private readonly onReady = (): void => {
    this.connectionError = undefined
    this.isUp = true
    this.endings = 0
    this.start()
    this.reports.up()
  }

  private readonly onError = (error: Error): void => {
    this.connectionError = worded(error, this.settings)
    if (!this.isUp) this.onDown()
  }

  /**
   * ioredis stops reconnecting for good when it is disconnected during an attempt to connect. It
   * disconnects itself so when Sentinels announce a failover.
   */
  private readonly onEnd = (): void => {
    this.onDown()
    if (this.isClosed) return
    const again = Effect.sync(() => {
      if (!this.isClosed && this.client.status === "end") ignore(this.client.connect())
    })
    this.run(Effect.andThen(Effect.sleep(this.retry(++this.endings)), again))
  }

  private readonly onDown = (): void => {
    this.isUp = false
    this.start()
    if (!this.isClosed) this.reports.down(this.connectionError)
  }
}

/** Sockets live in real time, even when a test provides its own clock. */
const inRealTime = Effect.provideService(Clock.Clock, Clock.Clock.defaultValue())

const ended = (client: Client): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    // Between two attempts to connect there is no connection to close.
    if (client.status === "end" || client.status === "reconnecting") return resume(Effect.void)
    client.once("end", () => {
      resume(Effect.void)
    })
    return undefined
  })

const close = (life: Life): Effect.Effect<void> =>
  Effect.suspend(() => {
    life.isClosed = true
    life.start()
    const end = ended(life.client)
    life.client.disconnect()
    return Effect.interruptible(end).pipe(Effect.timeoutOption(closingMillis), inRealTime)
  }).pipe(Effect.asVoid)

/** Connects in the background without limit; disconnects with the scope, within half a second. */
export const open = (settings: Settings, retry: Backoff): Effect.Effect<Life, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const fork = Effect.runForkWith(yield* Effect.context<never>())
    const place = describe(settings)
    const log = yield* TierLog.make({
      subject: `Redis at ${place}`,
      annotations: { server: place },
      atOnce: linesAtOnce,
      refill: lineRefillMillis,
    })
    const life = yield* Effect.acquireRelease(
      Effect.sync(() =>
        Life.of(settings, retry, log, (effect) => {
          Fiber.runIn(fork(effect), scope)
        }),
      ),
      close,
    )
    ignore(life.client.connect())
    yield* Effect.sleep(settings.connectTimeout).pipe(
      Effect.andThen(Effect.sync(life.start)),
      Effect.forkScoped({ startImmediately: true }),
    )
    return life
  })

/** A connection that lost one reply gives each later reply to the wrong command: drop it. */
const alive = (node: ReturnType<typeof masters>[number], word: string): Promise<void> =>
  node.ping(word).then((answer) => {
    if (answer !== word && node.status === "ready") node.disconnect(true)
  })

/** Pings every connection at intervals; the socket timeout drops one that does not answer. */
export const heartbeat = (
  settings: Settings,
  life: Life,
  lines: ReadonlySet<Line>,
): Effect.Effect<void, never, Scope.Scope> => {
  if (settings.heartbeat === Infinity) return Effect.void
  let beats = 0
  const beat = Effect.sync(() => {
    for (const { connection } of lines) {
      if (connection !== undefined) ignore(connection.ping())
    }
    for (const each of masters(life.client)) {
      if (each.status === "ready") ignore(alive(each, `beat ${++beats}`))
    }
  })
  return Effect.sleep(settings.heartbeat).pipe(
    Effect.andThen(beat),
    Effect.forever,
    Effect.forkScoped({ startImmediately: true }),
    Effect.asVoid,
  )
}
