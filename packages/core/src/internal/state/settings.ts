/** Checks the options of a larder and turns them into `Settings`. */
import type * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { InvalidOptions } from "../../InvalidOptions.ts"
import * as Policy from "../../Policy.ts"
import type * as Upstream from "../../Upstream.ts"
import { isUpstream } from "../../Upstream.ts"
import type { Objective, Settings } from "./engine.ts"
import { checkedPolicy } from "../policy/checkedPolicy.ts"
import * as keys from "./key.ts"
import * as keySchemas from "./keySchema.ts"
import { millisOf, mustBeDuration } from "../runtime/duration.ts"
import { auditedShare, auditsPerSecond, closeMillis, stampedeCallers } from "../runtime/limits.ts"
import { leaseNamespace } from "./namespace.ts"
import { mistakeIn, type Names, type NamesOf } from "../runtime/optionNames.ts"
import { reasonOf, shown } from "../runtime/shownValue.ts"
import { wellFormed } from "../invalidation/tags.ts"
import { type Audit, type AuditOptions, byDefault } from "./audit.ts"
import type { OnStampede } from "./stampedes.ts"
import { guarded } from "./userCode.ts"

/** The error for an option of a larder: `must` continues the sentence "the option must". */
export const invalidOption = (
  larder: string,
  field: string,
  must: string,
  got: unknown,
): InvalidOptions =>
  new InvalidOptions({
    module: "Larder",
    field,
    reason: `of ${shown(larder)} ${reasonOf(must, got)}`,
  })

/** The options of a larder, untyped. */
export interface AnyOptions {
  readonly name: string
  readonly value?: Schema.Constraint | undefined
  readonly upstream: Upstream.Upstream<unknown, unknown, unknown, unknown>
  readonly policy: Policy.Policy | Policy.AdaptivePolicy<unknown, unknown>
  readonly key?: ((key: unknown) => string) | keySchemas.KeySchema<unknown> | undefined
  readonly tags?: ((value: unknown, key: unknown) => ReadonlyArray<string>) | undefined
  readonly etag?: ((value: unknown, key: unknown) => string | undefined) | undefined
  readonly failureFor?: ((error: unknown, key: unknown) => Duration.Input) | undefined
  readonly graceFor?: ((error: unknown, key: unknown) => boolean) | undefined
  readonly revision?: ((value: unknown) => number | bigint | string) | undefined
  readonly schemaVersion?: number | undefined
  readonly closeTimeout?: Duration.Input | undefined
  readonly replicaLag?: Duration.Input | undefined
  readonly objective?: ObjectiveOptions | undefined
  readonly stampedeCallers?: number | undefined
  readonly onStampede?: OnStampede<unknown> | undefined
  readonly audit?: AuditOptions<unknown> | undefined
}

/**
 * A freshness objective: a share of the answers is younger than a certain age. See `objective` of
 * `Larder.make`.
 *
 * @category options
 * @since 0.1.0
 */
export interface ObjectiveOptions {
  /** The age that answers must be younger than: at most the time for which the policy lets values be served. */
  readonly youngerThan: Duration.Input
  /** The share of the answers, above 0 and below 1, such as 0.99. Answers that failed are not within. */
  readonly share: number
}

const objectiveNames: NamesOf<ObjectiveOptions> = { youngerThan: true, share: true }

const names: NamesOf<AnyOptions> = {
  name: true,
  value: true,
  upstream: true,
  policy: true,
  key: true,
  tags: true,
  etag: true,
  failureFor: true,
  graceFor: true,
  revision: true,
  schemaVersion: true,
  closeTimeout: true,
  replicaLag: true,
  objective: true,
  stampedeCallers: true,
  onStampede: true,
  audit: true,
}

const auditNames: NamesOf<AuditOptions<unknown>> = { share: true, perSecond: true, equal: true }

const functions = ["tags", "etag", "failureFor", "graceFor", "revision", "onStampede"] as const

/** Checks the options' names, and those whose value could not be used at all. Throws `InvalidOptions`. */
export const checkOptions = (options: AnyOptions): void => {
  const mistake = InvalidOptions.ofNames({ module: "Larder", names, got: options })
  if (mistake !== undefined) throw mistake
  const name = nameOf(options)
  for (const field of functions) {
    const got: unknown = options[field]
    if (got === undefined || typeof got === "function") continue
    throw invalidOption(name, field, "be a function, or be left out", got)
  }
  const { key, upstream, value } = options
  const isKey = keySchemas.isKeySchema(key)
    ? keySchemas.isEncodedAsText(key)
    : key === undefined || typeof key === "function"
  if (!isKey) {
    const must =
      "be a function, or a schema that is encoded as a string, such as Schema.FiniteFromString, or be left out"
    throw invalidOption(name, "key", must, key)
  }
  if (!isUpstream(upstream)) {
    throw invalidOption(name, "upstream", "be a result of Upstream.make", upstream)
  }
  if (value !== undefined && !Schema.isSchema(value)) {
    throw invalidOption(name, "value", "be a schema, such as Schema.String", value)
  }
}

/** Checks the names of the options of one call, or `within` an option. Throws `InvalidOptions`. */
export const checkNames = (larder: string, got: unknown, known: Names, within?: string): void => {
  const mistake = mistakeIn(got, known, within)
  if (mistake === undefined) return
  const { field, reason } = mistake
  throw new InvalidOptions({ module: "Larder", field, reason: `of ${shown(larder)} ${reason}` })
}

/** A flag among the options of one call. Throws `InvalidOptions`: text such as "false" counts as true. */
export const flagOf = (
  larder: string,
  field: string,
  got: boolean | undefined,
  byDefault: boolean,
): boolean => {
  if (got === undefined) return byDefault
  if (typeof got === "boolean") return got
  throw invalidOption(larder, field, "be true or false", got)
}

/** Milliseconds of an option. Throws `InvalidOptions`. */
export const durationOf = (larder: string, field: string, input: Duration.Input): number => {
  const millis = millisOf(input)
  if (millis !== undefined) return millis
  throw invalidOption(larder, field, mustBeDuration, input)
}

/** The name, under which shared tiers store the entries. */
export const nameOf = ({ name }: AnyOptions): string => {
  if (typeof name === "string" && name.trim() !== "" && name !== leaseNamespace) return name
  const must =
    name === leaseNamespace
      ? "be another name: tiers keep the leases of Lease.withLease under this one"
      : 'be a non-blank string, such as "products"'
  throw InvalidOptions.of({ module: "Larder", field: "name", must, got: name })
}

export const schemaVersionOf = ({ name, schemaVersion = 0 }: AnyOptions): number => {
  if (Number.isSafeInteger(schemaVersion) && schemaVersion >= 0 && schemaVersion <= 99_999_999) {
    return schemaVersion
  }
  throw invalidOption(name, "schemaVersion", "be an integer from 0 to 99,999,999", schemaVersion)
}

/** The objective. Throws `InvalidOptions` for one that no run can miss, or none can reach. */
export const objectiveOf = ({ name, objective, policy }: AnyOptions): Objective | undefined => {
  if (objective === undefined) return undefined
  checkNames(name, objective, objectiveNames, "objective")
  const { share } = objective
  if (typeof share !== "number" || !(share > 0 && share < 1)) {
    const must =
      "be a number above 0 and below 1, such as 0.99: a share of 1 leaves no answer that may be older, so each late one would break the objective"
    throw invalidOption(name, "objective.share", must, share)
  }
  const youngerThan = durationOf(name, "objective.youngerThan", objective.youngerThan)
  if (youngerThan <= 0) {
    const must = 'be a duration above 0, such as "30 seconds"'
    throw invalidOption(name, "objective.youngerThan", must, objective.youngerThan)
  }
  // The policy of each value may be another one where it is adaptive.
  const oldest = Policy.isPolicy(policy) ? oldestServed(policy) : Infinity
  if (youngerThan > oldest) {
    const must = `be at most ${oldest} ms, the age up to which the policy lets values be served (freshFor and the longer grace): no answer can be older, so the objective would say nothing`
    throw invalidOption(name, "objective.youngerThan", must, objective.youngerThan)
  }
  return { youngerThan, share }
}

const oldestServed = ({ freshFor, staleIfError, staleWhileRevalidate }: Policy.Policy): number =>
  freshFor + Math.max(staleWhileRevalidate, staleIfError)

export const settingsOf = (
  options: AnyOptions,
  upstream: Upstream.Resolved<unknown, unknown, unknown>,
  follows = false,
): Settings => {
  const { etag, failureFor, graceFor, key, name, policy, revision, tags } = options
  const { closeTimeout = closeMillis } = options
  return {
    name,
    upstream,
    follows,
    ...policiesOf(name, policy),
    ...keysOf(key),
    tags:
      tags && guarded(name, "tags", (value, asked) => wellFormed(checkedTags(tags(value, asked)))),
    etag: etag && guarded(name, "etag", etag, noEtag),
    failureFor:
      failureFor &&
      guarded(name, "failureFor", (error, asked) =>
        durationOf(name, "failureFor", failureFor(error, asked)),
      ),
    graceFor: graceFor && guarded(name, "graceFor", graceFor, notBoolean),
    revision: revisionOf(name, revision),
    closeMillis: durationOf(name, "closeTimeout", closeTimeout),
    replicaLag: replicaLagOf(options),
    objective: objectiveOf(options),
    stampedeCallers: stampedeCallersOf(options),
    onStampede: options.onStampede,
    audit: auditOf(options),
  }
}

const keysOf = (
  key: AnyOptions["key"],
): Pick<Settings, "hasKeyFunction" | "keyOf" | "keyProblem" | "keySchema" | "prefixOf"> => {
  if (key === undefined) {
    return {
      hasKeyFunction: false,
      keyOf: keys.ofPrimitive,
      keyProblem: keys.noKeyFunction,
      keySchema: undefined,
      prefixOf: keys.prefixOfPrimitive,
    }
  }
  const own = { hasKeyFunction: true, prefixOf: (prefix: string): string => prefix }
  if (keySchemas.isKeySchema(key)) {
    const [keyOf, keyProblem] = [keySchemas.encodedBy(key), keySchemas.problemOf(key)]
    return { ...own, keyOf, keyProblem, keySchema: key }
  }
  return { ...own, keyOf: keys.by(key), keyProblem: keys.problemOf(key), keySchema: undefined }
}

/** Without an end nothing that was ever changed would be fresh again. */
const replicaLagOf = ({ name, replicaLag = 0 }: AnyOptions): number => {
  const millis = millisOf(replicaLag)
  if (millis !== undefined && millis !== Infinity) return millis
  const must = 'be a finite duration of at least 0, such as "2 seconds"'
  throw invalidOption(name, "replicaLag", must, replicaLag)
}

const stampedeCallersOf = ({
  name,
  stampedeCallers: callers = stampedeCallers,
}: AnyOptions): number => {
  if (callers === Infinity || (Number.isSafeInteger(callers) && callers >= 1)) return callers
  const must = "be an integer of at least 1, or Infinity for any number"
  throw invalidOption(name, "stampedeCallers", must, callers)
}

const auditOf = ({ audit, name }: AnyOptions): Audit | undefined => {
  if (audit === undefined) return undefined
  checkNames(name, audit, auditNames, "audit")
  const { equal = byDefault, perSecond = auditsPerSecond, share = auditedShare } = audit
  const isNumber = (got: unknown) => typeof got === "number" && got > 0
  if (!isNumber(share) || share > 1) {
    throw invalidOption(name, "audit.share", "be a number above 0, and at most 1", share)
  }
  if (!isNumber(perSecond)) {
    throw invalidOption(name, "audit.perSecond", "be a number above 0", perSecond)
  }
  if (typeof equal !== "function") {
    throw invalidOption(name, "audit.equal", "be a function, or be left out", equal)
  }
  return { share, perSecond, equal }
}

/** An array of tags. A string is iterable too, and would become one tag for each letter. */
const checkedTags = (tags: unknown): ReadonlyArray<string> => {
  if (Array.isArray(tags)) return tags
  throw new TypeError(`it returned ${String(tags)}; return an array of strings, [] for no tags`)
}

const notBoolean = (answer: unknown): string | undefined =>
  typeof answer === "boolean" ? undefined : `it returned ${String(answer)}; return true or false`

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
      checkedPolicy(policy.of(value, key, base), "the result of the function"),
    )
    return { policy: base, policyOf }
  }
  throw invalidOption(name, "policy", "be a result of Policy.make or Policy.adaptive", policy)
}

const noEtag = (etag: unknown): string | undefined =>
  etag === undefined || typeof etag === "string"
    ? undefined
    : `it returned ${String(etag)}; return a string or undefined`

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
  return isOrdered
    ? undefined
    : `it returned ${String(revision)}; return a number, a bigint or a string`
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
      const must =
        "have circuits with unique names; give each Upstream.withCircuitBreaker a `key` that no other circuit and no tier has"
      throw invalidOption(larder, "upstream", must, name)
    }
    taken.push(name)
  }
}

/** The codec of the values. Without a schema `Unknown`, or an error where a tier needs bytes. */
export const codecOf = (options: AnyOptions, needed: boolean) => {
  if (options.value !== undefined) return Schema.toCodecJson(options.value)
  if (!needed) return Schema.Unknown
  const must = "be a schema, such as Schema.String, since a tier of the stack stores bytes"
  throw invalidOption(options.name, "value", must, options.value)
}
