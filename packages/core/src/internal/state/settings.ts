/** Checks the options of a larder and turns them into `Settings`. */
import type * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import * as Policy from "../../Policy.ts"
import type * as Upstream from "../../Upstream.ts"
import type { Settings } from "./engine.ts"
import { checkedPolicy } from "../policy/checkedPolicy.ts"
import * as keys from "./key.ts"
import { millisOrReason } from "../runtime/duration.ts"
import { wellFormed } from "../invalidation/tags.ts"
import { guarded } from "./userCode.ts"

/** An invalid option; a defect of `Larder.make`. */
export class InvalidLarder extends Schema.TaggedError<InvalidLarder>()("InvalidLarder", {
  larder: Schema.String,
  field: Schema.String,
  reason: Schema.String,
}) {
  override get message(): string {
    return `${this.larder} ${this.field}: ${this.reason}`
  }
}

/** The options of a larder, untyped. */
export interface AnyOptions {
  readonly name: string
  readonly value?: Schema.Constraint | undefined
  readonly upstream: Upstream.Upstream<unknown, unknown, unknown, unknown>
  readonly policy: Policy.Policy | Policy.AdaptivePolicy<unknown, unknown>
  readonly key?: ((key: unknown) => string) | undefined
  readonly tags?: ((value: unknown, key: unknown) => ReadonlyArray<string>) | undefined
  readonly etag?: ((value: unknown, key: unknown) => string | undefined) | undefined
  readonly failureFor?: ((error: unknown, key: unknown) => Duration.Input) | undefined
  readonly graceFor?: ((error: unknown, key: unknown) => boolean) | undefined
  readonly revision?: ((value: unknown) => number | bigint | string) | undefined
  readonly schemaVersion?: number | undefined
  readonly closeTimeout?: Duration.Input | undefined
}

export const millisOf = (larder: string, field: string, input: Duration.Input): number => {
  const millis = millisOrReason(input)
  if (typeof millis === "number") return millis
  throw new InvalidLarder({
    larder,
    field,
    reason: `${millis}; give a duration such as "5 seconds"`,
  })
}

/** The name, under which shared tiers store the entries. */
export const nameOf = ({ name }: AnyOptions): string => {
  if (typeof name === "string" && name.trim() !== "") return name
  throw new InvalidLarder({
    larder: "a larder without a name",
    field: "name",
    reason: `${JSON.stringify(name)} is no name; give one that no other larder on the same tiers has, such as "products"`,
  })
}

export const schemaVersionOf = ({ name, schemaVersion = 0 }: AnyOptions): number => {
  if (Number.isSafeInteger(schemaVersion) && schemaVersion >= 0 && schemaVersion <= 99_999_999) {
    return schemaVersion
  }
  throw new InvalidLarder({
    larder: name,
    field: "schemaVersion",
    reason: `${schemaVersion} is no release number; give an integer from 0 to 99,999,999`,
  })
}

export const settingsOf = (
  options: AnyOptions,
  upstream: Upstream.Resolved<unknown, unknown, unknown>,
): Settings => {
  const { etag, failureFor, graceFor, key, name, policy, revision, tags } = options
  return {
    name,
    upstream,
    ...policiesOf(name, policy),
    keyOf: key === undefined ? keys.ofPrimitive : keys.by(key),
    keyProblem: key === undefined ? keys.noKeyFunction : keys.problemOf(key),
    tags:
      tags && guarded(name, "tags", (value, asked) => wellFormed(checkedTags(tags(value, asked)))),
    etag: etag && guarded(name, "etag", etag, noEtag),
    failureFor:
      failureFor &&
      guarded(name, "failureFor", (error, asked) =>
        millisOf(name, "failureFor", failureFor(error, asked)),
      ),
    graceFor: graceFor && guarded(name, "graceFor", graceFor, notBoolean),
    revision: revisionOf(name, revision),
    closeMillis: millisOf(name, "closeTimeout", options.closeTimeout ?? "5 seconds"),
  }
}

/** An array of tags. A string is iterable too, and would become one tag for each letter. */
const checkedTags = (tags: unknown): ReadonlyArray<string> => {
  if (Array.isArray(tags)) return tags
  throw new TypeError(`${String(tags)} is no array of strings; give [] for no tags`)
}

const notBoolean = (answer: unknown): string | undefined =>
  typeof answer === "boolean" ? undefined : `${String(answer)} is neither true nor false`

const policiesOf = (
  name: string,
  policy: AnyOptions["policy"],
): Pick<Settings, "policy" | "policyOf"> => {
  if (Policy.isPolicy(policy)) {
    const checked = checkedPolicy(policy, "the option policy")
    return { policy: checked, policyOf: () => checked }
  }
  if (typeof policy?.of === "function") {
    const base = checkedPolicy(policy.base, "the base of the policy")
    const policyOf = guarded(name, "policy", (value, key) =>
      checkedPolicy(policy.of(value, key, base), "what the function gave"),
    )
    return { policy: base, policyOf }
  }
  throw new InvalidLarder({
    larder: name,
    field: "policy",
    reason: `${typeof policy === "object" ? "an object" : String(policy)} is no policy; give what Policy.make or Policy.adaptive gives`,
  })
}

const noEtag = (etag: unknown): string | undefined =>
  etag === undefined || typeof etag === "string" ? undefined : `${String(etag)} is no string`

const revisionOf = (name: string, revision: AnyOptions["revision"]): Settings["revision"] => {
  if (revision === undefined) return undefined
  const guardedRevision = guarded(name, "revision", revision, noRevision)
  return (value) => guardedRevision(value, undefined)
}

const noRevision = (revision: unknown): string | undefined => {
  const isOrdered =
    typeof revision === "string" ||
    typeof revision === "bigint" ||
    (typeof revision === "number" && !Number.isNaN(revision))
  return isOrdered ? undefined : `${String(revision)} is no number, bigint or string`
}

/** Rejects a circuit whose name another circuit or a tier has in `stats.breakers`. */
export const checkBreakers = (
  larder: string,
  upstream: Upstream.Resolved<unknown, unknown, unknown>,
  tiers: ReadonlyArray<{ readonly name: string }>,
): void => {
  const taken = tiers.map(({ name }) => name)
  for (const { name } of upstream.breakers) {
    if (taken.includes(name)) {
      throw new InvalidLarder({
        larder,
        field: "upstream",
        reason: `its circuit "${name}" has the name of another circuit or of a tier; give Upstream.withCircuitBreaker a key of its own`,
      })
    }
    taken.push(name)
  }
}

/** The codec of the values. Without a schema `Unknown`, or an error where a tier needs bytes. */
export const codecOf = (options: AnyOptions, needed: boolean) => {
  if (options.value !== undefined) return Schema.toCodecJson(options.value)
  if (!needed) return Schema.Unknown
  throw new InvalidLarder({
    larder: options.name,
    field: "value",
    reason:
      "a tier of the stack keeps bytes, so the values need a schema; give one, such as `value: Schema.String`",
  })
}
