/** Entries that a tier has, as the user's functions see their values. */
import type { Entry } from "../../Entry.ts"
import type { Engine } from "./engine.ts"
import type { EntryWithPolicy } from "./localEntries.ts"
import { attempt } from "./userCode.ts"

/**
 * What is kept of an entry that a tier has. Undefined where the user's functions
 * fail on its value: an entry that cannot be used is undecodable, and told as such.
 */
export const examined = (
  engine: Engine,
  { asked, k }: { readonly k: string; readonly asked: unknown },
  tier: string,
  entry: Entry<unknown>,
  confirmedAt: number | undefined,
): EntryWithPolicy | undefined =>
  attempt(
    () => {
      const { policyOf, revision } = engine.settings
      revision?.(entry.value)
      const policy = policyOf(entry.value, asked)
      return { entry, policy, weight: engine.weigh(entry.value, k), confirmedAt }
    },
    (failure) => engine.optionFailures.undecodable(k, tier, failure),
  )
