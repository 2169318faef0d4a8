/** `set`: stores a caller's value, unless a value of a higher `revision` is known. */
import { checkNames, flagOf } from "../state/settings.ts"
import type { NamesOf } from "../runtime/optionNames.ts"
import * as Effect from "effect/Effect"
import type * as Entry from "../../Entry.ts"
import type { Policy } from "../../Policy.ts"
import { checkedPolicy } from "../policy/checkedPolicy.ts"
import type { Engine } from "../state/engine.ts"
import type { EntryWithPolicy } from "../state/localEntries.ts"
import { type Ack, refusal } from "./ack.ts"
import { setInBackground } from "./background.ts"
import { change } from "./change.ts"
import type { Keyed } from "./claim.ts"
import { newEntry } from "./newEntry.ts"
import { type IsNewer, newerInMemory, newerNearby, newerThan } from "./revisedSet.ts"
import { changed } from "./tellChanged.ts"

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
        ? undefined
        : checkedPolicy(options.policy, "the policy given to set")
    const { entry, ...kept } = newEntry(engine, key, k, value, policy)
    const applied = isBackground(engine, kept.policy, entry)
      ? setInBackground(engine, k, { key, entry, ...kept })
      : change(engine, k, { key, change: { _tag: "Set", entry }, kept, isNewer })
    return isNewer === undefined ? applied : unlessNewer(engine, k, isNewer, applied)
  })

/**
 * Stores a value that a write of the source has returned, with the marks that this node knew before the
 * write; counted and told.
 */
export const setAsOf = (
  engine: Engine,
  { key, k }: Keyed,
  { entry, ...kept }: EntryWithPolicy,
  asOf: number,
): Effect.Effect<Ack> => {
  const set = { _tag: "Set", entry: { ...entry, asOf } } as const
  return changed(
    engine,
    "set",
    k,
    change(engine, k, { key, change: set, kept, isNewer: undefined }),
  )
}

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
