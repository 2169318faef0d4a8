/** Records what the shared tier tells a session, once the session has applied it. */
import { Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { now } from "../clock.ts"
import type { Log } from "../history/log.ts"
import { isBurst } from "../keys.ts"

/** Takes the messages of a larder, and when it begins and has begun to listen. */
export interface Told {
  readonly begins: (larder: string) => {
    readonly listening: () => void
    readonly applied: (message: Tier.Message) => void
  }
}

const nothing = { listening: () => undefined, applied: () => undefined }
/** Records nothing. */
export const noTold: Told = { begins: () => nothing }

/** Writes lines of the session that the larder is of when it begins to listen. */
export const toldIn = (log: Log, sessions: ReadonlyMap<string, string>): Told => ({
  begins: (larder) => {
    const session = sessions.get(larder) ?? larder
    log.write({ t: "gap", session, at: now(), isOver: false })
    return {
      listening: () => log.write({ t: "gap", session, at: now(), isOver: true }),
      applied: (message) => {
        const at = now()
        switch (message._tag) {
          case "Changed": {
            const { key, version } = message
            // Keys of bursts are not read: their many messages would only make the log long.
            if (!isBurst(key)) log.write({ t: "heard", session, at, key, version })
            return
          }
          case "Marked":
            return log.write({ t: "heard", session, at, version: message.page.last })
          case "Gap": {
            const { isOver, part } = message
            return log.write({ t: "gap", session, at, part, isOver })
          }
          // Changes nothing that a session may serve.
          case "Released":
        }
      },
    }
  },
})

const listeningTo = (arbiter: Tier.Arbiter, told: ReturnType<Told["begins"]>): Tier.Arbiter => {
  const { listen } = arbiter
  if (listen === undefined) return arbiter
  return {
    ...arbiter,
    listen: (receive) =>
      Effect.tap(
        listen((message) => {
          receive(message)
          told.applied(message)
        }),
        () => Effect.sync(told.listening),
      ),
  }
}

/** The tier, whose messages are recorded. */
export const hearing = <E>(
  layer: Layer.Layer<Tier.Tier, E>,
  { begins }: Told,
): Layer.Layer<Tier.Tier, E> =>
  Layer.effect(
    Tier.Tier,
    Effect.map(Tier.Tier, (tier): typeof Tier.Tier.Service => {
      if (tier.kind !== "bytes") return tier
      const open: typeof tier.open = (options) =>
        Effect.map(tier.open(options), (store) =>
          store.arbiter === undefined
            ? store
            : { ...store, arbiter: listeningTo(store.arbiter, begins(options.larder)) },
        )
      return { ...tier, open }
    }),
  ).pipe(Layer.provide(layer))
