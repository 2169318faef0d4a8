/**
 * Compares some fresh hits with upstream, in the background and after their callers have the answer. The
 * lookup of an audit runs as that of a background refresh does, in the context of the larder. It stores
 * nothing, and is in no count of lookups.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { AuditResult } from "../../LarderEvent.ts"
import type { MemoryEntry } from "../../Tier.ts"
import * as Upstream from "../../Upstream.ts"
import { areCircuitsClosed } from "../flight/circuits.ts"
import { reasonOf } from "../flight/lookupResult.ts"
import { inSpan } from "../flight/lookupSpan.ts"
import { Sampler, shareSteps } from "../observe/sampling.ts"
import { refreshSoon } from "../read/act.ts"
import { inBackground } from "../runtime/processLife.ts"
import { BoundedRun } from "../runtime/boundedRun.ts"
import { type Audit, compare } from "../state/audit.ts"
import type { Engine } from "../state/engine.ts"

export class Audits {
  readonly #engine: Engine
  readonly #audit: Audit
  readonly #sampler: Sampler
  readonly #pauseMillis: number
  #nextAt = -Infinity

  constructor(engine: Engine, audit: Audit) {
    this.#engine = engine
    this.#audit = audit
    this.#sampler = new Sampler(shareSteps(`audit ${engine.settings.name}`, audit.share))
    this.#pauseMillis = 1_000 / audit.perSecond
  }

  /** A caller gets a fresh value of memory. */
  readonly hit = (k: string): void => {
    if (this.#sampler.take() === 0) return
    const engine = this.#engine
    const now = engine.stopwatch()
    if (now < this.#nextAt) return
    const held = engine.near.peek(k)
    if (held === undefined) return
    this.#nextAt = now + this.#pauseMillis
    const age = Math.max(0, engine.now() - held.entry.storedAt)
    // In a later turn: the caller gets its answer first.
    engine.soon(() => this.#begin(new Audited(engine, held, age)))
  }

  #begin(audited: Audited): void {
    const engine = this.#engine
    if (engine.closed) return
    // A lookup that is running brings the value of upstream anyway.
    const isPossible =
      audited.isCurrent && engine.flights.at(audited.k) === undefined && areCircuitsClosed(engine)
    if (isPossible) new AuditLookup(engine, this.#audit, audited).begin()
    else audited.tell("skipped")
  }
}

/** One hit that is compared. */
class Audited {
  readonly k: string
  readonly held: MemoryEntry
  readonly #engine: Engine
  readonly #age: number

  constructor(engine: Engine, held: MemoryEntry, age: number) {
    this.#engine = engine
    this.k = held.key
    this.held = held
    this.#age = age
  }

  /** Whether memory still has the value, and serves it as fresh, and no change of the key is under way. */
  get isCurrent(): boolean {
    const { changes, entries } = this.#engine
    const local = entries.look(this.k, this.#engine.now())
    const isFresh = local?.held.entry === this.held.entry && local.freshness._tag === "Fresh"
    return isFresh && !changes.isUnderWay(this.k)
  }

  /** Counts the result and tells listeners. */
  tell(result: AuditResult): void {
    const { observer } = this.#engine
    observer.counters.audits[result] += 1
    observer.tell({ _tag: "Audited", key: this.k, result, age: this.#age })
  }
}

class AuditLookup extends BoundedRun<unknown, unknown> {
  readonly #engine: Engine
  readonly #audit: Audit
  readonly #audited: Audited

  constructor(engine: Engine, audit: Audit, audited: Audited) {
    super(engine.timers)
    this.#engine = engine
    this.#audit = audit
    this.#audited = audited
  }

  begin(): void {
    const engine = this.#engine
    const { upstream, policy } = engine.settings
    const { asked, entry } = this.#audited.held
    const began = engine.stopwatch()
    const lookup = Effect.suspend(() => upstream.lookup(asked, engine.inTimeOfDay(entry)))
    const context = engine.demands.ofAudit(began + policy.hardTimeout)
    const fiber = engine.fibers.fork(inBackground(this.#spanned(lookup)), context)
    this.watch(fiber, began, policy.hardTimeout)
  }

  #spanned(lookup: Effect.Effect<unknown, unknown>): Effect.Effect<unknown, unknown> {
    const engine = this.#engine
    if (!engine.isTraced) return lookup
    return inSpan(engine.settings.name, lookup, {
      begun: (span) => {
        span.attribute("larder.audit", true)
        const shown = span.sampled ? engine.observer.showKey(this.#audited.k) : undefined
        if (shown !== undefined) span.attribute("larder.key", shown)
      },
    })
  }

  protected ended(exit: Exit.Exit<unknown, unknown>): void {
    // Closing the larder has interrupted the lookup.
    if (this.#engine.closed) return
    const result = Exit.isSuccess(exit) ? this.#compared(exit.value) : refusedOr(exit.cause)
    this.#audited.tell(result)
    if (result === "differs") {
      const { held, k } = this.#audited
      refreshSoon(this.#engine, held.asked, k)
    }
  }

  protected late(fiber: Fiber.Fiber<unknown, unknown>): void {
    this.#audited.tell("failed")
    this.#engine.fibers.abandon(fiber, Upstream.timedOut)
  }

  #compared(found: unknown): AuditResult {
    // Race: the key was changed, or its freshness ended, while upstream was asked.
    if (!this.#audited.isCurrent) return "skipped"
    if (Upstream.isNotModified(found)) return "same"
    try {
      const { revision } = this.#engine.settings
      const compared = compare(this.#audit, revision, this.#audited.held.entry.value, found)
      return compared === "older" ? "skipped" : compared
    } catch {
      // A function of the user. Its message may quote the value.
      return "failed"
    }
  }
}

/** A guard of upstream refused the lookup, or upstream failed. */
const refusedOr = (cause: Cause.Cause<unknown>): AuditResult => {
  const reason = reasonOf(cause)
  return reason === "breakerOpen" || reason === "shed" ? "skipped" : "failed"
}
