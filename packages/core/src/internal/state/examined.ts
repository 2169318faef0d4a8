/** Applies the user's options to entries of a tier. */
import type { Entry } from "../../Entry.ts"
import type { Engine } from "./engine.ts"
import type { EntryWithPolicy } from "./localEntries.ts"
import { attempt } from "./userCode.ts"

/**
 * A tier's entry with its policy and weight. Undefined where an option fails on the value: the
 * entry counts, and is reported, as undecodable.
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
