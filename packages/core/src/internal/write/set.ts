/** `set`: stores a caller's value, unless a value of a higher `revision` is known. */
import { checkNames, flagOf } from "../state/settings.ts"
import type { NamesOf } from "../runtime/optionNames.ts"
import * as Effect from "effect/Effect"
import type * as Entry from "../../Entry.ts"
import type { Policy } from "../../Policy.ts"
import type { MemoryEntry } from "../../Tier.ts"
import { entryTimes } from "../flight/lookupResult.ts"
import { checkedPolicy } from "../policy/checkedPolicy.ts"
import type { Engine } from "../state/engine.ts"
import { type Ack, refusal } from "./ack.ts"
import { setInBackground } from "./background.ts"
import { change } from "./change.ts"
import { type IsNewer, newerInMemory, newerNearby, newerThan } from "./revisedSet.ts"

/**
 * Options of one `set`.
 *
 * @category options
 * @since 0.1.0
 */
export interface SetOptions {
  /** The policy of this value; default the larder's. */
  readonly policy?: Policy | undefined
  /** Sets the value even though one of a higher `revision` is known. Default false. */
  readonly force?: boolean | undefined
}

const setNames: NamesOf<SetOptions> = { policy: true, force: true }

export const set = (
  engine: Engine,
  key: unknown,
  k: string,
  value: unknown,
  options: SetOptions = {},
): Effect.Effect<Ack> =>
  Effect.suspend(() => {
    const { name } = engine.settings
    checkNames(name, options, setNames)
    const isNewer = flagOf(name, "force", options.force, false)
      ? undefined
      : newerThan(engine, k, value)
    const policy =
      options.policy === undefined
        ? engine.settings.policyOf(value, key)
        : checkedPolicy(options.policy, "the policy given to set")
    const entry: Entry.Entry<unknown> = {
      value,
      ...entryTimes(engine, policy),
      loadMillis: writtenAnew(engine, k)?.entry.loadMillis ?? 0,
      version: 0,
      asOf: engine.versions.asOf(),
      tags: engine.settings.tags?.(value, key) ?? [],
      ...etagOf(engine, value, key),
    }
    const kept = { policy, weight: engine.weigh(value, k) }
    const applied = isBackground(engine, policy, entry)
      ? setInBackground(engine, k, { key, entry, ...kept })
      : change(engine, k, { key, change: { _tag: "Set", entry }, kept, isNewer })
    return isNewer === undefined ? applied : unlessNewer(engine, k, isNewer, applied)
  })

/** Refuses the value where memory or a nearer tier has a newer one. `change` compares at the arbiter. */
const unlessNewer = (
  engine: Engine,
  k: string,
  isNewer: IsNewer,
  applied: Effect.Effect<Ack>,
): Effect.Effect<Ack> => {
  const inMemory = newerInMemory(engine, k, isNewer)
  if (inMemory !== undefined) return Effect.succeed(refusal(inMemory.version))
  if (engine.stack.farther.length === 0) return applied
  return Effect.flatMap(newerNearby(engine, k, isNewer), (newer) =>
    newer === undefined ? applied : Effect.succeed(refusal(newer.version)),
  )
}

const isBackground = (
  { stack }: Engine,
  { tierWrites }: Policy,
  { staleUntil, storedAt }: Entry.Entry<unknown>,
): boolean =>
  tierWrites === "background" &&
  stack.hasMemory &&
  stack.farther.length > 0 &&
  storedAt < staleUntil

/** A rewrite counts as an access for eviction. */
const writtenAnew = (engine: Engine, k: string): MemoryEntry | undefined => {
  const slot = engine.near.find(k)
  if (slot === 0) return undefined
  engine.near.hit(slot)
  return engine.near.at(slot)
}

const etagOf = (engine: Engine, value: unknown, key: unknown) => {
  const etag = engine.settings.etag?.(value, key)
  return etag === undefined ? undefined : { etag }
}
