/** The faults of a place, as a test gives them and as they are applied. */
import { InvalidOptions } from "@larder/core"
import { checkNames } from "../options.ts"
import { type Distribution, distributionOf, type Latency } from "./latency.ts"

/**
 * The faults of a tier. A share is a number from 0 for never to 1 for always; each operation draws by
 * itself. What is left out does not happen.
 *
 * @category options
 * @since 0.1.0
 */
export interface TierFaults {
  /** How long an operation takes before it has its effect. */
  readonly latency?: Latency | undefined
  /** The share of operations that fail and have no effect. */
  readonly failure?: number | undefined
  /** The share of operations that have their effect, and whose answer is an error all the same. */
  readonly lostAnswer?: number | undefined
  /** The share of operations that never answer and have no effect. */
  readonly hang?: number | undefined
  /** The share of envelopes that are read with a damaged byte. */
  readonly corrupt?: number | undefined
  /** The share of keys without an answer in an operation on many: `read`, `acquireAll`, `commitAll`. */
  readonly partial?: number | undefined
  /** The operations that the faults hit. Default `"all"`. */
  readonly operations?: "all" | "reads" | "writes" | "leases" | undefined
  /** Only operations on these keys are hit. Default: on all. Marks and messages have no key. */
  readonly keys?: ReadonlyArray<string> | undefined
}

/**
 * The faults of an upstream. Shares and keys as in {@link TierFaults}; keys are compared as
 * `String(key)` gives them.
 *
 * @category options
 * @since 0.1.0
 */
export interface UpstreamFaults {
  /** How long a lookup takes in addition. */
  readonly latency?: Latency | undefined
  /** The share of lookups that fail. */
  readonly failure?: number | undefined
  /** The share of lookups that never answer. */
  readonly hang?: number | undefined
  /** The share of keys that a bulk lookup leaves out. */
  readonly partial?: number | undefined
  /** Only lookups of these keys are hit, and bulk lookups with one of them. Default: all. */
  readonly keys?: ReadonlyArray<string> | undefined
}

/**
 * The faults of the messages that reach a node. Shares as in {@link TierFaults}.
 *
 * @category options
 * @since 0.1.0
 */
export interface MessageFaults {
  /** The share of messages that are lost. */
  readonly lose?: number | undefined
  /** The share of messages that arrive twice, the second time up to a second later. */
  readonly duplicate?: number | undefined
  /** How late messages arrive. */
  readonly delay?: Latency | undefined
  /** The share of messages that are held back for up to a second, so that later ones overtake them. */
  readonly reorder?: number | undefined
  /** Heartbeats of the tier arrive in spite of the faults. Default false. */
  readonly spareHeartbeats?: boolean | undefined
}

/**
 * The faults of a backplane: those of its messages, and of publishing.
 *
 * @category options
 * @since 0.1.0
 */
export interface BackplaneFaults extends Omit<MessageFaults, "spareHeartbeats"> {
  /** The share of messages that the backplane does not take: `publish` fails. */
  readonly failure?: number | undefined
}

type Timed<F> = {
  readonly [K in keyof F]: K extends "latency" | "delay" ? Distribution | undefined : F[K]
}

export type Kind = "tier" | "upstream" | "messages" | "backplane"

export interface Given {
  readonly tier: TierFaults
  readonly upstream: UpstreamFaults
  readonly messages: MessageFaults
  readonly backplane: BackplaneFaults
}

/** The faults of each kind of place, checked. */
export type Applied = { readonly [K in Kind]: Timed<Given[K]> }

/** The value of a fault as it is applied. Throws `InvalidOptions`. */
type Rule = (field: string, got: unknown) => unknown

const rule =
  (isValid: (got: unknown) => boolean, must: string): Rule =>
  (field, got) => {
    if (isValid(got)) return got
    throw InvalidOptions.of({ module: "Chaos", field, must, got })
  }

const share = rule(
  (got) => typeof got === "number" && got >= 0 && got <= 1,
  "be a share from 0 to 1",
)
const time: Rule = (field, got) => distributionOf(field, got as Latency)
const keys = rule(
  (got) => Array.isArray(got) && got.every((key) => typeof key === "string"),
  "be an array of strings",
)
const flag = rule((got) => typeof got === "boolean", "be true or false")
const operations = rule(
  (got) => got === "all" || got === "reads" || got === "writes" || got === "leases",
  'be "all", "reads", "writes" or "leases"',
)

const ofMessages = { lose: share, duplicate: share, delay: time, reorder: share }

const rules: { readonly [K in Kind]: Readonly<Record<keyof Given[K], Rule>> } = {
  tier: {
    latency: time,
    failure: share,
    lostAnswer: share,
    hang: share,
    corrupt: share,
    partial: share,
    operations,
    keys,
  },
  upstream: { latency: time, failure: share, hang: share, partial: share, keys },
  messages: { ...ofMessages, spareHeartbeats: flag },
  backplane: { ...ofMessages, failure: share },
}

/** Throws `InvalidOptions` for an unknown name and for a value that cannot be applied. */
export const checked = <K extends Kind>(kind: K, faults: Given[K]): Applied[K] => {
  const known: Readonly<Record<string, Rule>> = rules[kind]
  const names = Object.fromEntries(Object.keys(known).map((name) => [name, true as const]))
  checkNames("Chaos", names, faults)
  const entries = Object.entries(faults).map(([field, value]: [string, unknown]) => [
    field,
    value === undefined ? undefined : known[field]?.(field, value),
  ])
  return Object.fromEntries(entries) as Applied[K]
}

/** The faults that are on, in words. */
export const faultText = (faults: object): string => {
  const on = Object.entries(faults).flatMap(([name, value]: [string, unknown]) => {
    if (value === undefined || value === 0) return []
    if (typeof value === "function") return [name]
    return [`${name} ${Array.isArray(value) ? value.join(", ") : String(value)}`]
  })
  return on.length === 0 ? "no faults" : on.join("; ")
}
