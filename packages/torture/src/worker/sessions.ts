/** Makes larders over this process's tiers, records their events, and closes them. */
import { Larder, type LarderEvent, type TierStack } from "@larder/core"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { now } from "../clock.ts"
import type { Log } from "../history/log.ts"
import { tagsOf } from "../keys.ts"
import type { Choices } from "@larder/traces/choices"
import type { Config, LarderName } from "./Config.ts"
import { namer, policyOf, Session } from "./Session.ts"
import { type Source, upstreamOf } from "./source.ts"
import { Value } from "./Value.ts"

export interface World {
  readonly config: Config
  readonly log: Log
  readonly random: Choices
  /** The open session of each larder, by name. */
  readonly sessions: Map<string, string>
  readonly source: Source
  readonly tiers: Context.Context<TierStack.TierStack>
}

export interface Open {
  readonly session: Session
  readonly close: Effect.Effect<void>
}

const told: Readonly<Record<string, (event: never) => string>> = {
  Recovered: ({ changes, tier }: LarderEvent.Recovered) => `${tier} ${changes}`,
  GapDetected: ({ part, reason }: LarderEvent.GapDetected) => `${reason} ${part ?? "everywhere"}`,
  BreakerChanged: ({ breaker, from, to }: LarderEvent.BreakerChanged) => `${breaker} ${from} ${to}`,
  TierWarning: ({ message, tier }: LarderEvent.TierWarning) => `${tier} ${message}`,
}

/** The events that a session's traffic reacts to. */
export interface Reactions {
  /** The breaker is about to probe Redis. */
  readonly onProbe: (session: Session) => void
  /** Redis has answered, and the missed changes are being replayed. */
  readonly onReturn: (session: Session) => void
}

export const noReactions: Reactions = { onProbe: () => undefined, onReturn: () => undefined }

const listen = (session: Session, log: Log, reactions: Reactions) =>
  Effect.gen(function* () {
    const subscription = yield* session.larder.subscribe
    const hear = (event: LarderEvent.LarderEvent): void => {
      const detail = told[event._tag]
      if (detail === undefined) return
      log.write({
        t: "event",
        session: session.id,
        at: now(),
        event: event._tag,
        detail: detail(event as never),
      })
      if (event._tag === "Recovered") session.recovered()
      if (event._tag !== "BreakerChanged") return
      if (event.to === "HalfOpen") reactions.onProbe(session)
      if (event.to === "Closed") reactions.onReturn(session)
    }
    yield* Stream.fromSubscription(subscription).pipe(
      Stream.runForEach((event) => Effect.sync(() => hear(event))),
      Effect.forkScoped({ startImmediately: true }),
    )
  })

let opened = 0

/** Opens a larder with this name. */
export const open = (
  { config, log, random, sessions, source, tiers }: World,
  name: LarderName,
  reactions: Reactions,
): Effect.Effect<Open> =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const id = `${config.node}.${process.pid}.${name}.${(opened += 1)}`
    const nameValue = namer(`${id}=`)
    const upstream = upstreamOf({
      source,
      session: id,
      log,
      random,
      nameValue,
      bulk: name === "background",
    })
    sessions.set(name, id)
    // Record this before the larder exists: all values it returns are from later.
    log.write({ t: "opened", session: id, node: config.node, larder: name, at: now() })
    const session = yield* Effect.gen(function* () {
      const larder = yield* Larder.make({
        name,
        value: Value,
        upstream,
        policy: policyOf(config.policy, name),
        tags: (_, key: string) => tagsOf(key),
      })
      const made = new Session({ larder, name, id, log, times: config.policy, nameValue })
      yield* listen(made, log, reactions)
      return made
    }).pipe(Effect.provide(tiers), Scope.provide(scope))
    const close = Effect.suspend(() => {
      log.write({ t: "closing", session: id, at: now() })
      return Effect.map(Scope.close(scope, Exit.void), () =>
        log.write({ t: "closed", session: id, at: now() }),
      )
    })
    return { session, close }
  })
