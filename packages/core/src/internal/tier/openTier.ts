/** Opens a tier behind memory for one larder: first its store, then, with its role, the tier as the larder sees it. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import type { ByteStore, ByteTier, Limits, Notice, TierError } from "../../Tier.ts"
import type { Counters } from "../observe/counters.ts"
import type { CircuitTimes } from "../observe/circuits.ts"
import type { Observer } from "../observe/eventHub.ts"
import { InvalidOptions } from "../../InvalidOptions.ts"
import { isWire } from "../../Wire.ts"
import { handMadeLimits } from "../policy/tierLimits.ts"
import { serversPerTier } from "../runtime/limits.ts"
import { uniqueName } from "../runtime/uniqueName.ts"
import { Timers } from "../runtime/deadlines.ts"
import { inSteadyTime } from "../runtime/steadyBreaker.ts"
import { FartherTier } from "./backingTier.ts"
import { TierSteps } from "./guardedCalls.ts"
import { TierParts } from "./parts.ts"
import { countingMessages } from "./sentMessages.ts"
import type { Options, Role } from "./tierOptions.ts"
import { TierWarnings } from "./tierWarnings.ts"

/** An operation of a tier that throws becomes an effect that dies, and so a failed step. */
const orDie =
  <Args extends ReadonlyArray<unknown>, A, R>(
    operation: (...args: Args) => Effect.Effect<A, TierError, R>,
  ) =>
  (...args: Args): Effect.Effect<A, TierError, R> => {
    try {
      return operation(...args)
    } catch (defect) {
      return Effect.die(defect)
    }
  }

/** The store with operations that never throw. Calls each on its object, since a tier may use `this`. */
const withoutThrows = (store: ByteStore, counters: Counters): ByteStore => {
  const { arbiter } = store
  return {
    // Not by `orDie`, whose list of arguments each read would make.
    read: (keys) => {
      try {
        return store.read(keys)
      } catch (defect) {
        return Effect.die(defect)
      }
    },
    put: orDie((...args) => store.put(...args)),
    drop: orDie((...args) => store.drop(...args)),
    keys: store.keys && orDie((...args) => store.keys!(...args)),
    arbiter:
      arbiter &&
      countingMessages(
        {
          acquire: orDie((...args) => arbiter.acquire(...args)),
          renew: orDie((...args) => arbiter.renew(...args)),
          release: orDie((...args) => arbiter.release(...args)),
          commit: orDie((...args) => arbiter.commit(...args)),
          acquireAll: arbiter.acquireAll && orDie((requests) => arbiter.acquireAll!(requests)),
          commitAll: arbiter.commitAll && orDie((commits) => arbiter.commitAll!(commits)),
          write: orDie((...args) => arbiter.write(...args)),
          mark: orDie((...args) => arbiter.mark(...args)),
          marks: orDie((since) => arbiter.marks(since)),
          versions: arbiter.versions && orDie((keys) => arbiter.versions!(keys)),
          listen: arbiter.listen && orDie((receive) => arbiter.listen!(receive)),
        },
        counters,
      ),
  }
}

/** A tier with its store for one larder. */
export interface OpenedStore {
  readonly tier: ByteTier
  readonly store: ByteStore
  readonly limits: Limits
  readonly warnings: TierWarnings
  /** Sets what a `Connected` notice of the tier calls. */
  readonly onConnected: (connected: () => void) => void
}

/** Opens the store of a byte tier for one larder. Dies with `InvalidOptions` for invalid limits. */
export const openStore = (
  tier: ByteTier,
  options: Options,
): Effect.Effect<OpenedStore, never, Scope.Scope> =>
  Effect.suspend(() => {
    const { wire } = tier
    if (wire !== undefined && !isWire(wire)) {
      const must = "be a wire, such as Wire.json"
      throw InvalidOptions.of({ module: "Tier", field: "wire", must, got: wire })
    }
    const limits = Result.getOrThrow(handMadeLimits(tier.limits ?? {}))
    const warnings = new TierWarnings(tier.name, options)
    let connected = () => {}
    const onConnected: OpenedStore["onConnected"] = (f) => {
      connected = f
    }
    const opened = tier.open({
      larder: options.larder,
      stepMillis: options.tierTimeout,
      notify: (notice) => {
        if (notice._tag === "Connected") connected()
        else noticed(tier.name, notice, options.observer, warnings)
      },
    })
    return Effect.map(opened, (store) => ({ tier, store, limits, warnings, onConnected }))
  })

/** The tier as one larder sees it. The breaker and its events end with the scope. */
export const fartherTier = (
  { limits, onConnected, store, tier, warnings }: OpenedStore,
  options: Options,
  role: Role,
): Effect.Effect<FartherTier, never, Scope.Scope> =>
  Effect.gen(function* () {
    const breaker = yield* CircuitBreaker.make({
      tripPolicy: CircuitBreaker.consecutive(limits.breaker.failures),
      openDuration: limits.breaker.openFor,
    }).pipe(Effect.provide(inSteadyTime(CircuitBreaker.layerStoreMemory())))
    const circuitOf = circuitsOfTier(options.observer)
    yield* watchBreaker(breaker.transitions, options.observer, circuitOf)
    const timers = new Timers(yield* Effect.context<never>(), "lingers")
    // Ends steps under way, so that no caller is left waiting.
    yield* Effect.addFinalizer(() => Effect.sync(() => timers.flush()))
    const parts = new TierParts(store.partOf?.bind(store), (part) => {
      const steps = new TierSteps(tier.name, breaker, timers, options, part)
      circuitOf(steps.circuit)
      return steps
    })
    const scope = yield* Effect.scope
    const run = Effect.runForkWith(options.context)
    const fork = (effect: Effect.Effect<void>) => {
      if (scope.state._tag !== "Closed") Fiber.runIn(run(effect), scope)
    }
    const known = { tier, store: withoutThrows(store, options.observer.counters), limits, warnings }
    const opened = new FartherTier(known, breaker, options, role, parts, fork)
    onConnected(() => fork(opened.probed))
    return opened
  })

const noticed = (
  tier: string,
  notice: Exclude<Notice, { readonly _tag: "Connected" }>,
  observer: Observer,
  warnings: TierWarnings,
): void => {
  if (notice._tag === "Warning") {
    observer.tell({ _tag: "TierWarning", tier, message: notice.message })
    return
  }
  const { cause, key } = notice
  if (cause === "refused") warnings.refused(notice.bytes)
  observer.counters.evictionsByCause[cause] += 1
  observer.tell({ _tag: "Evicted", key, tier, cause })
}

/**
 * The times of a tier's circuits, by their names in the breaker. Tiers of one name must not hide each
 * other. Undefined beyond `serversPerTier`.
 */
const circuitsOfTier = ({ circuits }: Observer): ((name: string) => CircuitTimes | undefined) => {
  const own = new Map<string, CircuitTimes>()
  return (name) => {
    const known = own.get(name)
    if (known !== undefined || own.size >= serversPerTier) return known
    const circuit = circuits.add(uniqueName(name, circuits.names))
    own.set(name, circuit)
    return circuit
  }
}

/** Publishes `BreakerChanged` for each transition of a circuit, and measures its states. */
export const watchBreaker = (
  transitions: Stream.Stream<CircuitBreaker.Transition>,
  observer: Observer,
  circuitOf: (name: string) => CircuitTimes | undefined,
): Effect.Effect<void, never, Scope.Scope> =>
  transitions.pipe(
    Stream.runForEach(({ from, key, to }) =>
      Effect.sync(() => {
        circuitOf(key)?.moved(to)
        observer.tell({ _tag: "BreakerChanged", breaker: key, from, to })
      }),
    ),
    Effect.forkScoped({ startImmediately: true }),
    Effect.asVoid,
  )
