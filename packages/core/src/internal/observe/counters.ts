/** The counters of one larder: plain fields. `stats` and the metrics have the same counts, from here. */
import type {
  AuditResult,
  Changed,
  FailedReason,
  LookupRefused,
  MissCause,
  StaleReason,
} from "../../LarderEvent.ts"
import type { EvictionCause } from "../../Tier.ts"
import * as labels from "./labels.ts"

/** The calls that one source answered. */
export interface Outcomes {
  /** With a fresh value. */
  fresh: number
  /** With a stale value. */
  stale: number
  /** Calls that failed: none but the source `none` has any. */
  failed: number
}

/** The source of a call that failed. */
export const noSource = "none"
export const upstreamSource = "upstream"

/** Changes of one kind, by their `Ack`. */
export interface ChangeCounts {
  settled: number
  unsettled: number
}

/** What one tier behind memory did for the larder. */
export interface TierCounts {
  /** Keys that calls read in the tier, by what it had. */
  readonly reads: Record<labels.TierReadResult, number>
  /** Steps that ended, or met an open breaker. */
  readonly operations: Record<labels.TierOperation, Record<labels.TierOutcome, number>>
  /** The size of the envelopes that came from the tier. */
  bytesRead: number
  /** The size of the envelopes that were sent to the tier. */
  bytesWritten: number
}

export interface Counters {
  /** Calls that memory answered at once with a fresh value. They are not in `waited`. */
  hits: number
  /** The other calls that were answered, by source: the name of a tier, `upstream` or `none`. */
  readonly waited: Record<string, Outcomes>
  /** Calls that were answered with a stale value. */
  readonly staleAnswers: Record<StaleReason, number>
  /** Calls that failed. */
  readonly failedAnswers: Record<FailedReason, number>
  /** Calls that were interrupted before they had an answer. */
  abandoned: number
  /** Calls that memory could not answer. */
  readonly missesByCause: Record<MissCause, number>
  /** Keys whose lookup reached upstream. */
  lookups: number
  /** Those of `lookups` that have ended. */
  readonly lookupsByOutcome: Record<labels.LookupOutcome, number>
  /** Keys whose lookup did not reach upstream, by reason. */
  readonly lookupsRefused: Record<LookupRefused["reason"], number>
  /** Misses that joined a running lookup. */
  coalesced: number
  /** Background refreshes, by what began them. */
  readonly refreshes: Record<labels.RefreshTrigger, number>
  /** Requests for a lease by the arbiter's answer, and leases that were lost. */
  readonly leases: Record<labels.LeaseOutcome, number>
  /** Looked-up values that were not stored, because a newer change came in between. */
  superseded: number
  /** Entries that left a tier without a caller asking for it. */
  readonly evictionsByCause: Record<EvictionCause, number>
  /** Entries that memory evicted without a hit since they were stored. */
  evictionsUnread: number
  /** Changes by callers that were acknowledged. */
  readonly changes: Record<Changed["operation"], ChangeCounts>
  /** Entries that could not be read as such, and counted as misses, by tier. */
  readonly undecodableByTier: Record<string, number>
  /** What the tiers behind memory did, by name. */
  readonly tierCounts: Record<string, TierCounts>
  /** Lookups in the background that were shed for want of a permit: a part of `lookupsRefused`. */
  backgroundShed: number
  /** Lookups that brought a value of the `revision` that was known already. */
  sameRevision: number
  /** Fresh hits that were compared with upstream, by result. */
  readonly audits: Record<AuditResult, number>
  /** Events that slow subscribers lost. */
  eventsDropped: number
  /** Times that this node found it may have missed messages of other nodes. */
  gaps: number
  /** Messages about changes of this node that the arbiter or a backplane has published. */
  messagesSent: number
  /** Messages of other nodes that outdated something here, or returned a lease that this node waits for. */
  messagesReceived: number
  /** Messages for keys that this node does not hold, or that tell nothing new, such as its own. */
  messagesIgnored: number
}

/** A count of 0 for each key of a table. */
const zeros = <Key extends string>(table: labels.LabelsOf<Key>): Record<Key, number> =>
  eachOf(table, () => 0)

const eachOf = <Key extends string, A>(
  table: labels.LabelsOf<Key>,
  make: () => A,
): Record<Key, A> =>
  Object.fromEntries(Object.keys(table).map((key) => [key, make()])) as Record<Key, A>

export const noCounts = (sources: ReadonlyArray<string>): Counters => ({
  hits: 0,
  waited: Object.fromEntries(
    [...sources, upstreamSource, noSource].map((source) => [source, noOutcomes()]),
  ),
  staleAnswers: zeros(labels.staleReasons),
  failedAnswers: zeros(labels.failedReasons),
  abandoned: 0,
  missesByCause: zeros(labels.missCauses),
  lookups: 0,
  lookupsByOutcome: zeros(labels.lookupOutcomes),
  lookupsRefused: zeros(labels.refusedReasons),
  backgroundShed: 0,
  sameRevision: 0,
  coalesced: 0,
  refreshes: zeros(labels.refreshTriggers),
  leases: zeros(labels.leaseOutcomes),
  superseded: 0,
  evictionsByCause: zeros(labels.evictionCauses),
  evictionsUnread: 0,
  changes: eachOf(labels.changeOperations, () => ({ settled: 0, unsettled: 0 })),
  undecodableByTier: Object.fromEntries(sources.map((source) => [source, 0])),
  tierCounts: {},
  audits: zeros(labels.auditResults),
  eventsDropped: 0,
  gaps: 0,
  messagesSent: 0,
  messagesReceived: 0,
  messagesIgnored: 0,
})

export const noOutcomes = (): Outcomes => ({ fresh: 0, stale: 0, failed: 0 })

const noTierCounts = (): TierCounts => ({
  reads: zeros(labels.tierReadResults),
  operations: eachOf(labels.tierOperations, () => zeros(labels.tierOutcomes)),
  bytesRead: 0,
  bytesWritten: 0,
})

/** The counts of a tier behind memory. Tiers of one name share them. */
export const countsOfTier = ({ tierCounts }: Counters, tier: string): TierCounts =>
  (tierCounts[tier] ??= noTierCounts())

export const countUndecodable = ({ undecodableByTier }: Counters, tier: string): void => {
  undecodableByTier[tier] = (undecodableByTier[tier] ?? 0) + 1
}

/** The calls that one source answered. */
export type Answers = Readonly<Outcomes>

/** All calls that ended, but the abandoned ones, by source. `nearName`: the source of the plain hits. */
export const answersOf = (
  { hits, waited }: Counters,
  nearName: string,
): Readonly<Record<string, Answers>> => {
  const answers: Record<string, Answers> = {}
  for (const [source, { failed, fresh, stale }] of Object.entries(waited)) {
    answers[source] = { fresh: source === nearName ? fresh + hits : fresh, stale, failed }
  }
  return answers
}

export const sumOf = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0)

/** Keys whose lookup is at upstream now. */
export const lookupsInFlight = ({ lookups, lookupsByOutcome }: Counters): number =>
  lookups - sumOf(lookupsByOutcome)

/** Steps in tiers that failed, timed out, or met an open breaker. */
export const tierFailuresOf = ({ tierCounts }: Counters): number =>
  Object.values(tierCounts)
    .flatMap(({ operations }) => Object.values(operations))
    .reduce((sum, { ok: _, ...failures }) => sum + sumOf(failures), 0)

/** A copy of records of counts, in any depth. */
export const copied = <Counts extends object>(counts: Counts): Counts =>
  Object.fromEntries(
    Object.entries(counts).map(([field, count]: [string, unknown]) => [
      field,
      typeof count === "object" && count !== null ? copied(count) : count,
    ]),
  ) as Counts
