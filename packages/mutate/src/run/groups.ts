/** What the files of `packages/core/src` do together: the lines of a report, until folders say the same. */
import { dirname } from "node:path"

export interface Group {
  readonly name: string
  readonly title: string
  /** Paths, or folders that end in `/`, below `packages/core/src`. */
  readonly files: ReadonlyArray<string>
}

const internal = (...names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.map((name) => `internal/${name}.ts`)

export const groups: ReadonlyArray<Group> = [
  {
    name: "state",
    title: "keeps, judges, marks, leases, recovers",
    files: [
      "Arbitration.ts",
      "Decision.ts",
      "Freshness.ts",
      ...internal("adoption", "arrival", "background", "budget", "changing", "closing"),
      ...internal("considering"),
      ...internal("engine", "expiringMap", "failures", "fartherTier", "flight", "generation"),
      ...internal("holdingBack", "keeping", "lease", "loading", "markLog", "markReading"),
      ...internal("marks", "missed"),
      ...internal("recovery", "revisedSet", "settling", "sharedTier", "tierBatches"),
      ...internal("tierAttempt", "tierLoading", "tierParts"),
      ...internal("tierSteps", "tierTime", "tierWarnings", "trust"),
      ...internal("turns", "waiting", "writeQueue"),
    ],
  },
  {
    name: "calls",
    title: "answers callers",
    files: [
      "Larder.ts",
      "TierStack.ts",
      ...internal("asking", "cancelling", "get", "hitting", "key", "lookup", "many", "memoryAlone"),
      ...internal("namesakes", "options", "reading", "resizing", "stack", "sweeping", "tags"),
      ...internal("uniqueName", "userCode"),
    ],
  },
  {
    name: "policy",
    title: "policies and entries",
    files: [
      "EarlyRefresh.ts",
      "Entry.ts",
      "InvalidPolicy.ts",
      "Policy.ts",
      "Tier.ts",
      ...internal("checkedPolicy", "earlyRefreshProblems", "madePolicies"),
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
      ...internal("abandonable", "circuit", "gate", "liveDemand", "lookupDemand", "origin"),
      ...internal("outage", "reach"),
    ],
  },
  {
    name: "memory",
    title: "values within bounds",
    files: [
      "BoundedMap.ts",
      "MemoryTier.ts",
      "internal/bounded/",
      ...internal("memoryBounds", "objectStore"),
    ],
  },
  {
    name: "wire",
    title: "values as bytes",
    files: [
      "Envelope.ts",
      "InvalidWire.ts",
      "Wire.ts",
      "WireMsgpack.ts",
      ...internal("aesGcm", "compression", "crc32", "json", "keyring", "msgpackShape"),
      ...internal("nestedObjects", "plainMeta"),
    ],
  },
  {
    name: "observing",
    title: "counts and events",
    files: ["LarderEvent.ts", ...internal("metrics", "observer", "stats", "warnings")],
  },
  {
    name: "runtime",
    title: "what Effect does not have",
    files: internal(
      "atOnce",
      "chain",
      "millis",
      "monotonic",
      "processLife",
      "soon",
      "steadyBreaker",
      "steadyClock",
      "timers",
      "withoutInterrupts",
    ),
  },
]

export const core = "packages/core/src"

const holds = ({ files }: Group, path: string): boolean =>
  files.some((file) => (file.endsWith("/") ? path.startsWith(file) : path === file))

/** The title of the group of a file, else the folder the file is in. */
export const groupOf = (file: string): string => {
  const path = file.startsWith(`${core}/`) ? file.slice(core.length + 1) : undefined
  const group = path === undefined ? undefined : groups.find((each) => holds(each, path))
  return group?.title ?? dirname(file)
}
