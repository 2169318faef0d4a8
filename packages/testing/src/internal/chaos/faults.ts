/** The faults of a place, as a test gives them and as they are applied. */
import { InvalidOptions } from "@larder/core"
import { checkNames, type NamesOf } from "../options.ts"
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
  /** The share of envelopes that are read with a damaged byte. Each key draws by itself. */
  readonly corrupt?: number | undefined
  /**
   * The share of keys that get no answer in an operation on many, `read`, `acquireAll` or `commitAll`, which
   * has its effect. Each key draws by itself, in the order of the keys.
   */
  readonly partial?: number | undefined
  /** The operations that the faults hit. Default `"all"`. */
  readonly operations?: "all" | "reads" | "writes" | "leases" | undefined
  /**
   * Only operations with one of these keys are hit, and `partial` and `corrupt` only at these keys. Keys as
   * the larder stores them: a number 1 is `"#1"`. Default: all. Marks and messages have no key.
   */
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
  /** The share of keys that a bulk lookup leaves out of its answer. Each key draws by itself. */
  readonly partial?: number | undefined
  /**
   * Only lookups of these keys are hit, and bulk lookups with one of them, by `partial` only at these keys.
   * Default: all.
   */
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

/** The faults of each kind of place, as they are given. */
export interface Given {
  readonly tier: TierFaults
  readonly upstream: UpstreamFaults
  readonly messages: MessageFaults
  readonly backplane: BackplaneFaults
}

export type Kind = keyof Given

/** The faults of each kind of place, checked. */
export type Applied = { readonly [K in Kind]: Timed<Given[K]> }

const rule =
  <A>(isValid: (got: A) => boolean, must: string) =>
  (field: string, got: A | undefined): A | undefined => {
    if (got === undefined || isValid(got)) return got
    throw InvalidOptions.of({ module: "Chaos", field, must, got })
  }

const share = rule<number>(
  (got) => typeof got === "number" && got >= 0 && got <= 1,
  "be a share from 0 to 1",
)
const only = rule<ReadonlyArray<string>>(
  (got) => Array.isArray(got) && got.every((key) => typeof key === "string"),
  "be an array of strings",
)
const flag = rule<boolean>((got) => typeof got === "boolean", "be true or false")
const group = rule<NonNullable<TierFaults["operations"]>>(
  (got) => got === "all" || got === "reads" || got === "writes" || got === "leases",
  'be "all", "reads", "writes" or "leases"',
)
const time = (field: string, got: Latency | undefined): Distribution | undefined =>
  got === undefined ? undefined : distributionOf(field, got)

interface Place<F> {
  /** Makes such a place. */
  readonly around: "aroundTier" | "aroundUpstream" | "aroundBackplane"
  readonly names: NamesOf<F>
  /** Throws `InvalidOptions` for a value that cannot be applied. */
  readonly apply: (faults: F) => Timed<F>
}

const ofMessages = { lose: true, duplicate: true, delay: true, reorder: true } as const

const appliedToMessages = ({ delay, duplicate, lose, reorder }: BackplaneFaults) => ({
  lose: share("lose", lose),
  duplicate: share("duplicate", duplicate),
  delay: time("delay", delay),
  reorder: share("reorder", reorder),
})

/** The kinds of places where a fault can be. */
export const kinds: { readonly [K in Kind]: Place<Given[K]> } = {
  tier: {
    around: "aroundTier",
    names: {
      latency: true,
      failure: true,
      lostAnswer: true,
      hang: true,
      corrupt: true,
      partial: true,
      operations: true,
      keys: true,
    },
    apply: ({ corrupt, failure, hang, keys, latency, lostAnswer, operations, partial }) => ({
      latency: time("latency", latency),
      failure: share("failure", failure),
      lostAnswer: share("lostAnswer", lostAnswer),
      hang: share("hang", hang),
      corrupt: share("corrupt", corrupt),
      partial: share("partial", partial),
      operations: group("operations", operations),
      keys: only("keys", keys),
    }),
  },
  upstream: {
    around: "aroundUpstream",
    names: { latency: true, failure: true, hang: true, partial: true, keys: true },
    apply: ({ failure, hang, keys, latency, partial }) => ({
      latency: time("latency", latency),
      failure: share("failure", failure),
      hang: share("hang", hang),
      partial: share("partial", partial),
      keys: only("keys", keys),
    }),
  },
  messages: {
    around: "aroundTier",
    names: { ...ofMessages, spareHeartbeats: true },
    apply: ({ spareHeartbeats, ...faults }) => ({
      ...appliedToMessages(faults),
      spareHeartbeats: flag("spareHeartbeats", spareHeartbeats),
    }),
  },
  backplane: {
    around: "aroundBackplane",
    names: { ...ofMessages, failure: true },
    apply: ({ failure, ...faults }) => ({
      ...appliedToMessages(faults),
      failure: share("failure", failure),
    }),
  },
}

/** Throws `InvalidOptions` for an unknown name and for a value that cannot be applied. */
export const checked = <K extends Kind>(kind: K, faults: Given[K]): Applied[K] => {
  const { apply, names } = kinds[kind]
  checkNames("Chaos", names, faults)
  return apply(faults)
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
