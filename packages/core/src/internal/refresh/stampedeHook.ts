/**
 * Runs the option `onStampede` and does what it asks for. In a fiber of the larder, after the turn that
 * found the stampede: no caller waits for it, and none is disturbed by its failure.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { refreshSoon } from "../read/act.ts"
import { inBackground } from "../runtime/processLife.ts"
import { hooksAtOnce } from "../runtime/limits.ts"
import type { NamesOf } from "../runtime/optionNames.ts"
import type { Engine } from "../state/engine.ts"
import { checkNames, durationOf, flagOf, invalidOption } from "../state/settings.ts"
import type { OnStampede, Stampede, StampedeRequest } from "../state/stampedes.ts"

const names: NamesOf<StampedeRequest> = { refresh: true, staleWhileRevalidate: true }

export class StampedeHook {
  readonly #engine: Engine
  readonly #hook: OnStampede<unknown>
  /** The keys for which it runs. */
  readonly #running = new Set<string>()

  constructor(engine: Engine, hook: OnStampede<unknown>) {
    this.#engine = engine
    this.#hook = hook
  }

  /** Begins it, unless it runs for the key, or for too many keys. */
  readonly detected = (key: unknown, k: string, found: Omit<Stampede<unknown>, "key">): void => {
    const running = this.#running
    if (running.has(k) || running.size >= hooksAtOnce) return
    running.add(k)
    const engine = this.#engine
    // Of the fiber, not of the effect: what the function of a caller without types returns may be no effect,
    // and ends the fiber at once.
    const ended = (exit: Exit.Exit<void, unknown>): void => {
      running.delete(k)
      if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) this.#warn()
    }
    const asked = Effect.suspend(() => this.#hook({ ...found, key }))
    const done = Effect.flatMap(asked, (request) => this.#carryOut(key, k, request ?? {}))
    engine.soon(() => engine.fibers.fork(inBackground(done)).addObserver(ended))
  }

  /** The cause is not told, which may quote the key. */
  #warn(): void {
    this.#engine.warnings.warn(
      "onStampede",
      "the option onStampede failed, so it has changed nothing. Make it return an effect of nothing, or of an object with refresh or staleWhileRevalidate",
    )
  }

  #carryOut(key: unknown, k: string, request: StampedeRequest): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const engine = this.#engine
      const { name } = engine.settings
      checkNames(name, request, names)
      const { staleWhileRevalidate } = request
      const refresh = flagOf(name, "onStampede refresh", request.refresh, false)
      const grace =
        staleWhileRevalidate === undefined
          ? 0
          : durationOf(name, "onStampede staleWhileRevalidate", staleWhileRevalidate)
      if (!Number.isFinite(grace)) {
        const must = "be a finite duration"
        throw invalidOption(name, "onStampede staleWhileRevalidate", must, staleWhileRevalidate)
      }
      // Race: the value of the lookup is on its way to the arbiter, and not in memory yet.
      const settling = engine.flights.at(k)?.settling
      if (settling !== undefined) yield* settling.await
      if (engine.closed) return
      if (grace > 0) engine.entries.extendGrace(k, grace, engine.now())
      if (refresh && engine.flights.at(k) === undefined) refreshSoon(engine, key, k)
    })
  }
}
