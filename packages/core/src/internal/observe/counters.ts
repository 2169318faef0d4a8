/** The counters of one larder. */
import type {
  AuditResult,
  FailedReason,
  LookupRefused,
  MissCause,
  StaleReason,
} from "../../LarderEvent.ts"

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
  lookupsSucceeded: number
  lookupsFailed: number
  lookupsTimedOut: number
  /** Keys whose lookup did not reach upstream, by reason. */
  readonly lookupsRefused: Record<LookupRefused["reason"], number>
  /** Fresh hits that were compared with upstream, by result. */
  readonly audits: Record<AuditResult, number>
  /** Misses that joined a running lookup. */
  coalesced: number
  /** Refreshes of values that were still fresh. */
  earlyRefreshes: number
  /** Looked-up values that were not stored, because a newer change came in between. */
  superseded: number
  /** Entries that left a tier without a caller asking for it. */
  evictions: number
  /** Entries that could not be read as such, and counted as misses. */
  undecodable: number
  /** Times that this node found it may have missed messages of other nodes. */
  gaps: number
  /** Messages about changes of this node that the arbiter or a backplane has published. */
  messagesSent: number
  /** Messages of other nodes that outdated something here, or returned a lease that this node waits for. */
  messagesReceived: number
  /** Messages for keys that this node does not hold, or that tell nothing new, such as its own. */
  messagesIgnored: number
  /** Steps in a tier that failed, timed out, or met an open breaker. */
  tierFailures: number
}

export const noCounts = (sources: ReadonlyArray<string>): Counters => ({
  hits: 0,
  waited: Object.fromEntries(
    [...sources, upstreamSource, noSource].map((source) => [source, noOutcomes()]),
  ),
  staleAnswers: { revalidating: 0, failed: 0, softTimeout: 0, breakerOpen: 0, shed: 0 },
  failedAnswers: {
    failed: 0,
    defect: 0,
    timeout: 0,
    breakerOpen: 0,
    shed: 0,
    remembered: 0,
    notReturned: 0,
    invalidKey: 0,
    closed: 0,
  },
  abandoned: 0,
  missesByCause: { new: 0, evicted: 0, expired: 0, marked: 0, suspect: 0, demand: 0 },
  lookups: 0,
  lookupsSucceeded: 0,
  lookupsFailed: 0,
  lookupsTimedOut: 0,
  lookupsRefused: { breakerOpen: 0, shed: 0 },
  audits: { same: 0, differs: 0, failed: 0, skipped: 0 },
  coalesced: 0,
  earlyRefreshes: 0,
  superseded: 0,
  evictions: 0,
  undecodable: 0,
  gaps: 0,
  messagesSent: 0,
  messagesReceived: 0,
  messagesIgnored: 0,
  tierFailures: 0,
})

export const noOutcomes = (): Outcomes => ({ fresh: 0, stale: 0, failed: 0 })

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
