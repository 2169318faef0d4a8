/** Faults of a node itself: its process, its event loop, its larders, its upstream. */
import * as Effect from "effect/Effect"
import { larders } from "../worker/Config.ts"
import type { Fault } from "./Fault.ts"

const always = () => true

const kill: Fault = {
  kind: "kill",
  at: "node",
  suits: always,
  run: ({ random }, { worker }) =>
    Effect.gen(function* () {
      yield* worker.kill
      yield* Effect.sleep(random.between(50, 800))
      yield* worker.start
      return { detail: worker.name }
    }),
}

const stop: Fault = {
  kind: "stop",
  at: "node",
  suits: always,
  run: ({ random }, { worker }) =>
    Effect.gen(function* () {
      const millis = random.between(200, 2_500)
      worker.signal("SIGSTOP")
      yield* Effect.sleep(millis)
      return { detail: `${worker.name} for ${millis} ms` }
    }).pipe(Effect.ensuring(Effect.sync(() => worker.signal("SIGCONT")))),
}

const block: Fault = {
  kind: "block",
  at: "node",
  suits: always,
  run: ({ random }, { worker }) =>
    Effect.gen(function* () {
      const millis = random.between(100, 2_500)
      worker.tell({ _tag: "Block", millis })
      yield* Effect.sleep(millis)
      return { detail: `${worker.name} for ${millis} ms` }
    }),
}

const close: Fault = {
  kind: "close",
  at: "node",
  suits: always,
  run: ({ random }, { worker }) =>
    Effect.gen(function* () {
      const larder = random.pick(larders)
      worker.tell({ _tag: "Reopen", larder })
      yield* Effect.sleep(500)
      return { detail: `${worker.name} ${larder}` }
    }),
}

const upstream: Fault = {
  kind: "upstream",
  at: "node",
  suits: always,
  run: ({ random }, { worker }) =>
    Effect.gen(function* () {
      const millis = random.between(500, 3_000)
      worker.tell({ _tag: "Upstream", fails: true })
      yield* Effect.sleep(millis)
      return { detail: `${worker.name} for ${millis} ms` }
    }).pipe(Effect.ensuring(Effect.sync(() => worker.tell({ _tag: "Upstream", fails: false })))),
}

export const ofNodes: ReadonlyArray<Fault> = [kill, stop, block, close, upstream]
