/** The entry of a value that a caller brings. */
import type * as Entry from "../../Entry.ts"
import type { Policy } from "../../Policy.ts"
import type { MemoryEntry } from "../../Tier.ts"
import { entryTimes } from "../flight/lookupResult.ts"
import type { Engine } from "../state/engine.ts"
import type { EntryWithPolicy } from "../state/localEntries.ts"

/** A value with its policy and its weight. Throws `OptionFailed`. */
export const newEntry = (
  engine: Engine,
  key: unknown,
  k: string,
  value: unknown,
  policy: Policy = engine.settings.policyOf(value, key),
): EntryWithPolicy => {
  const entry: Entry.Entry<unknown> = {
    value,
    ...entryTimes(engine, policy),
    loadMillis: writtenAnew(engine, k)?.entry.loadMillis ?? 0,
    version: 0,
    asOf: engine.versions.asOf(),
    tags: engine.settings.tags?.(value, key) ?? [],
    ...etagOf(engine, value, key),
  }
  return { entry, policy, weight: engine.weigh(value, k) }
}

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
