import * as net from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** What becomes of one piece of what the server says; `undefined`: the connection ends instead. */
export type Lie = (said: Buffer) => Buffer | undefined

/** A way to a server on which its words can be changed, and what it is told held up. */
export interface Liar {
  readonly port: number
  readonly tell: (lie: Lie) => Effect.Effect<void>
  readonly tellTheTruth: Effect.Effect<void>
  /** How long each way takes from now on, ms. */
  readonly slow: (millis: number) => Effect.Effect<void>
  /** From now on nothing that is said to the server arrives... */
  readonly hold: Effect.Effect<void>
  /** ...until what comes later is passed on again; what was held goes on being held. */
  readonly pass: Effect.Effect<void>
  /** What was held arrives, even if whoever said it is gone. */
  readonly release: Effect.Effect<void>
}

const truth: Lie = (said) => said

export const start = (to: number): Effect.Effect<Liar, never, Scope.Scope> =>
  Effect.gen(function* () {
    const state = { lie: truth, holds: false, slow: 0 }
    const fork = Effect.runForkWith(yield* Effect.context<never>())
    const later = (say: () => void) => {
      if (state.slow === 0) say()
      else fork(Effect.andThen(Effect.sleep(state.slow), Effect.sync(say)))
    }
    const held: Array<() => void> = []
    const server = net.createServer((near) => {
      const far = net.connect({ host: "127.0.0.1", port: to })
      let isHeld = false
      near.on("data", (chunk) => {
        if (!state.holds) return later(() => far.write(chunk))
        isHeld = true
        return held.push(() => far.write(chunk))
      })
      far.on("data", (chunk) => {
        const told = state.lie(chunk)
        if (told === undefined) near.destroy()
        else later(() => near.write(told))
      })
      for (const one of [near, far]) one.on("error", () => undefined)
      far.on("close", () => near.destroy())
      near.on("close", () => isHeld || far.destroy())
    })
    const listen = Effect.callback<void>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        resume(Effect.void)
      })
    })
    yield* Effect.acquireRelease(listen, () => Effect.sync(() => server.close()))
    return {
      port: (server.address() as net.AddressInfo).port,
      tell: (lie) =>
        Effect.sync(() => {
          state.lie = lie
        }),
      tellTheTruth: Effect.sync(() => {
        state.lie = truth
      }),
      slow: (millis) =>
        Effect.sync(() => {
          state.slow = millis
        }),
      hold: Effect.sync(() => {
        state.holds = true
      }),
      pass: Effect.sync(() => {
        state.holds = false
      }),
      release: Effect.sync(() => {
        for (const arrive of held.splice(0)) arrive()
      }),
    }
  })
