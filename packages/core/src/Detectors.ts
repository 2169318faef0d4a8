/**
 * Finds anomalies in what larders count: keys that never repeat, lifetimes that are too short, stampedes,
 * cold starts, restless early refresh.
 *
 * @module
 * @category cache
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Anomaly from "./Anomaly.ts"
import { InvalidOptions } from "./InvalidOptions.ts"
import { namesOf } from "./internal/observe/chosenLarders.ts"
import { anomalies } from "./internal/observe/labels.ts"
import { LarderWindows } from "./internal/observe/larderWindow.ts"
import { type OpenLarder, watchAll } from "./internal/observe/openLarders.ts"
import type { NamesOf } from "./internal/runtime/optionNames.ts"
import { everyWindow } from "./internal/observe/windows.ts"
import { writeLine } from "./internal/observe/writeLine.ts"
import type { AnomalyKind } from "./LarderEvent.ts"
import type { Logged } from "./LogEvents.ts"

/**
 * Options of {@link layer}: those of `Anomaly.make`.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options extends Anomaly.Options {
  /** The larders to watch, or their names. Default: all larders of the process. */
  readonly larders?: ReadonlyArray<Logged> | undefined
}

const optionNames: NamesOf<Options> = {
  larders: true,
  stampedeCallers: true,
  leastAnswers: true,
  steadyHitRatio: true,
}

const kinds = Object.keys(anomalies) as ReadonlyArray<AnomalyKind>

/** Judges the windows of one larder, and tells what they say. */
class JudgedLarder {
  readonly #larder: OpenLarder
  readonly #context: Context.Context<never>
  readonly #windows: LarderWindows
  readonly #raisedTimes = new Map<AnomalyKind, number>()
  #state: Anomaly.Anomalies
  /** The series stay until the larder closes. */
  #hasEnded = false

  constructor(larder: OpenLarder, context: Context.Context<never>, first: Anomaly.Anomalies) {
    this.#larder = larder
    this.#context = context
    this.#windows = new LarderWindows(larder)
    this.#state = first
  }

  begin(): () => void {
    const { addSeries, observer } = this.#larder
    for (const kind of kinds) {
      const labels = { kind: anomalies[kind] }
      // The highest: another layer may watch the same larder.
      const gauge = () => this.#gauge(kind)
      addSeries({ metric: "larder_anomaly", labels, gauge, together: "highest" })
      addSeries({
        metric: "larder_anomalies_total",
        labels,
        count: () => this.#raisedTimes.get(kind) ?? 0,
      })
    }
    const stopListening = observer.listen((event) => this.#windows.heard(event), "none")
    const stopTimer = everyWindow(observer.clock, () => this.#windowEnded())
    return () => {
      stopListening()
      stopTimer()
      this.#hasEnded = true
    }
  }

  #gauge(kind: AnomalyKind): number {
    return !this.#hasEnded && this.#state.streaks[kind].raised ? 1 : 0
  }

  #windowEnded(): void {
    const { after, changes } = Anomaly.judge(this.#windows.next(), this.#state)
    this.#state = after
    for (const change of changes) this.#tell(change)
  }

  #tell(change: Anomaly.Change): void {
    const { advice, figures, kind, raised } = change
    const { observer } = this.#larder
    if (raised) this.#raisedTimes.set(kind, (this.#raisedTimes.get(kind) ?? 0) + 1)
    observer.tell({ _tag: "AnomalyChanged", ...change })
    const annotations = { larder: observer.larder, kind: anomalies[kind], ...figures, advice }
    if (raised) writeLine(this.#context, "Warn", "anomaly raised", annotations)
    else writeLine(this.#context, "Info", "anomaly cleared", annotations)
  }
}

/** Throws `InvalidOptions`. */
const checked = (given: Options) => {
  const mistake = InvalidOptions.ofNames({ module: "Detectors", names: optionNames, got: given })
  if (mistake !== undefined) throw mistake
  const { larders, ...options } = given
  return { names: namesOf("Detectors", larders), first: Anomaly.make(options) }
}

/**
 * Judges every 30 seconds what larders have counted. An anomaly that is raised or cleared is the event
 * `AnomalyChanged`, the metrics `larder_anomaly` and `larder_anomalies_total`, and a line in the log with
 * its figures and with advice.
 *
 * **When to use**
 *
 * Provide it once, where an application composes its layers, to be told of mistakes in how a larder is
 * used. `Anomaly` has the kinds and the thresholds.
 *
 * **Details**
 *
 * It watches all larders of the process, unless some are named. All that is judged at intervals shares one
 * timer, which keeps no process alive. Two windows in a row raise an anomaly, four clear it, and a window
 * with fewer than `leastAnswers` answers says nothing. Keys in the advice appear as `KeyDisplay` says.
 *
 * **Gotchas**
 *
 * - A larder that is watched makes events for its misses and lookups; a hit costs nothing.
 * - The layer dies with `InvalidOptions` for options that it cannot use.
 *
 * **Example**
 *
 * ```ts
 * import { Detectors, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Effect, Layer, Logger } from "effect"
 * import { TestClock } from "effect/testing"
 * import * as assert from "node:assert"
 *
 * const lines: Array<unknown> = []
 * const logger = Logger.make(({ message }) => {
 *   lines.push(message)
 * })
 * // Each call has a key of its own: a time, a nonce, a list in another order.
 * let visits = 0
 * const visit = (pages: { readonly get: (url: string) => Effect.Effect<number, unknown> }) =>
 *   Effect.suspend(() => pages.get(`/page?nonce=${(visits += 1)}`))
 * const program = Effect.gen(function* () {
 *   const pages = yield* Larder.make({
 *     name: "pages",
 *     upstream: Upstream.make({ lookup: (url: string) => Effect.succeed(url.length) }),
 *     policy: Policy.make({ freshFor: "1 minute" }),
 *   })
 *   for (let window = 0; window < 3; window += 1) {
 *     yield* Effect.forEach(Array.from({ length: 200 }), () => Effect.orDie(visit(pages)))
 *     yield* TestClock.adjust("30 seconds")
 *   }
 * })
 * const detectors = Detectors.layer({ larders: ["pages"] })
 * const stack = TierStack.layer(MemoryTier.layer({ maxEntries: 50 }))
 * await Effect.runPromise(
 *   program.pipe(
 *     Effect.scoped,
 *     Effect.provide([stack, detectors.pipe(Layer.provide(Logger.layer([logger])))]),
 *     Effect.provide(TestClock.layer()),
 *   ),
 * )
 * assert.match(JSON.stringify(lines), /anomaly raised/)
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<never> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { first, names } = checked(options)
      const context = yield* Effect.context<never>()
      const watch = (larder: OpenLarder) =>
        names?.has(larder.observer.larder) === false
          ? () => {}
          : new JudgedLarder(larder, context, first).begin()
      yield* Effect.acquireRelease(
        Effect.sync(() => watchAll(watch)),
        (stop) => Effect.sync(stop),
      )
    }),
  )
