/** After a gap: confirms the entries in memory that are read most, before callers ask for them. */
import * as Effect from "effect/Effect"
import * as Decision from "../../Decision.ts"
import { isBelieved } from "../recover/believed.ts"
import {
  confirmingJitterMillis,
  keysConfirmedAfterGap,
  keysPerHeaderRequest,
} from "../runtime/limits.ts"
import type { Engine } from "../state/engine.ts"
import type { HeaderRead, HeaderReads } from "../state/headerReads.ts"

/** Begins after a random pause, so that nodes that lost the same server do not come back as a herd. */
export const confirmHotSoon = (engine: Engine): void => {
  const { headers, near } = engine
  if (headers === undefined || near.size === 0) return
  const pause = confirmingJitterMillis * engine.random.nextDoubleUnsafe()
  engine.timers.after(engine.stopwatch(), Math.ceil(pause), () => {
    const hot = near.hot(keysConfirmedAfterGap).map(({ key }) => key)
    engine.fibers.fork(confirmEach(engine, headers, hot, 0))
  })
}

/** Few keys at a time, so that keys for which callers wait have their turn in between. */
const confirmEach = (
  engine: Engine,
  headers: HeaderReads,
  keys: ReadonlyArray<string>,
  from: number,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (from >= keys.length) return Effect.void
    const to = from + keysPerHeaderRequest
    const suspect = keys.slice(from, to).filter((k) => isConfirmable(engine, k))
    const confirmed = Effect.forEach(suspect, (k) => confirmOne(engine, headers, k), {
      discard: true,
      concurrency: "unbounded",
    })
    return Effect.andThen(confirmed, confirmEach(engine, headers, keys, to))
  })

/** Not while a flight has a newer value on its way, which callers have got already. */
const isConfirmable = (engine: Engine, k: string): boolean =>
  !engine.flights.isSettling(k) &&
  engine.entries.isConfirmable(k, engine.now()) &&
  isBelieved(engine, k)

const confirmOne = (engine: Engine, headers: HeaderReads, k: string): Effect.Effect<void> =>
  Effect.map(headers.read(k, Infinity, "suspect"), (read) => {
    if (read === undefined || !isConfirmable(engine, k)) return
    const decision = decided(engine, k, read)
    if (decision === "confirm") engine.entries.confirm(k, read, engine.now())
    else if (decision === "drop") engine.near.delete(k)
  })

/** What the arbiter's version says about the entry in memory. */
export const decided = (
  engine: Engine,
  k: string,
  { stored: { isValue, version } }: HeaderRead,
): ReturnType<typeof Decision.confirmation> => {
  const own = engine.near.peek(k)?.entry.version
  if (own === undefined) return "read"
  return Decision.confirmation({
    stored: isValue ? "value" : version > 0 ? "removal" : "nothing",
    besideMemory: version === own ? "same" : version > own ? "newer" : "older",
  })
}
