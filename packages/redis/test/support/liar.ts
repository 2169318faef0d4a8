import * as net from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Changes one piece of the server's reply; `undefined` ends the connection instead. */
export type Lie = (said: Buffer) => Buffer | undefined

/** A connection to a server on which replies can be changed, and requests held back. */
export interface Liar {
  readonly port: number
  readonly tell: (lie: Lie) => Effect.Effect<void>
  readonly tellTheTruth: Effect.Effect<void>
  /** How long each way takes from now on, ms. */
  readonly slow: (millis: number) => Effect.Effect<void>
  /** Holds back all requests to the server from now on... */
  readonly hold: Effect.Effect<void>
  /** ...until later requests are passed on again; the held ones stay held. */
  readonly pass: Effect.Effect<void>
  /** Delivers the held requests, even if their sender has ended. */
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
