/** Groups the files of `packages/core/src` by purpose, for the report. */
import { dirname } from "node:path"

export interface Group {
  readonly name: string
  readonly title: string
  /** Paths, or folders that end in `/`, below `packages/core/src`. */
  readonly files: ReadonlyArray<string>
}

const rooms = (...names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.map((name) => `internal/${name}/`)

export const groups: ReadonlyArray<Group> = [
  {
    name: "state",
    title: "keeps, judges, marks, leases, recovers",
    files: [
      "Arbitration.ts",
      "Backplane.ts",
      "Decision.ts",
      "Freshness.ts",
      "Heartbeat.ts",
      ...rooms("arbitrate", "backplane", "flight", "invalidation", "lifecycle"),
      ...rooms("recover", "state", "tier", "write"),
    ],
  },
  {
    name: "calls",
    title: "answers callers",
    files: ["Larder.ts", "TierStack.ts", ...rooms("read", "refresh")],
  },
  {
    name: "writing",
    title: "writes, outboxes, leases, changes from outside",
    files: [
      "AfterCommit.ts",
      "Invalidations.ts",
      "Lease.ts",
      "Outbox.ts",
      "OutboxRow.ts",
      "OutboxStore.ts",
      "WriteBehind.ts",
      ...rooms("behind", "lease"),
    ],
  },
  {
    name: "policy",
    title: "policies and entries",
    files: [
      "EarlyRefresh.ts",
      "Entry.ts",
      "InvalidOptions.ts",
      "InvalidPolicy.ts",
      "Policy.ts",
      "Tier.ts",
      ...rooms("policy"),
    ],
  },
  {
    name: "upstream",
    title: "guards around lookups",
    files: [
      "Coalesce.ts",
      "Deadline.ts",
      "FailSafe.ts",
      "LarderError.ts",
      "Upstream.ts",
      ...rooms("upstream"),
    ],
  },
  {
    name: "memory",
    title: "values within bounds",
    files: ["BoundedMap.ts", "MemoryTier.ts", ...rooms("memory")],
  },
  {
    name: "wire",
    title: "values as bytes",
    files: ["Envelope.ts", "Wire.ts", "WireMsgpack.ts", ...rooms("wire")],
  },
  {
    name: "observing",
    title: "counts and events",
    files: [
      "Anomaly.ts",
      "Baseline.ts",
      "Detectors.ts",
      "Instrument.ts",
      "KeyDisplay.ts",
      "LarderEvent.ts",
      "LogEvents.ts",
      "Metrics.ts",
      "TierLog.ts",
      ...rooms("observe"),
    ],
  },
  {
    name: "runtime",
    title: "what Effect does not have",
    files: ["ProcessLife.ts", ...rooms("runtime")],
  },
]

export const core = "packages/core/src"

const holds = ({ files }: Group, path: string): boolean =>
  files.some((file) => (file.endsWith("/") ? path.startsWith(file) : path === file))

/** The title of a file's group, else its folder. */
export const groupOf = (file: string): string => {
  const path = file.startsWith(`${core}/`) ? file.slice(core.length + 1) : undefined
  const group = path === undefined ? undefined : groups.find((each) => holds(each, path))
  return group?.title ?? dirname(file)
}
