/** The lines of a run, in the shape in which the rules need them. */
import { comboIn } from "./keys.ts"
import type { ComboName } from "./Config.ts"
import { isBehind } from "./keys.ts"
import type { Mode, Of, WriteLine } from "./Line.ts"

/** A write that was acknowledged. */
export interface Acknowledged {
  readonly id: string
  readonly key: string
  readonly mode: Mode
  readonly process: string
  readonly begun: number
  readonly ended: number
  readonly version: number
  readonly settled: boolean | undefined
}

/** A time in which the server was away, or might lose what it had just acknowledged. */
export interface Outage {
  readonly from: number
  readonly to: number
}

export interface History {
  readonly acknowledged: ReadonlyArray<Acknowledged>
  readonly begun: ReadonlyMap<string, Of<"begun">>
  readonly tried: ReadonlyArray<Of<"tried">>
  readonly reads: ReadonlyArray<Of<"read">>
  readonly finals: ReadonlyArray<Of<"final">>
  readonly faults: ReadonlyArray<Of<"fault">>
  readonly sources: ReadonlyMap<string, Of<"source">>
  /** The highest version under which a write is known. */
  readonly versions: ReadonlyMap<string, number>
  readonly redisOutages: ReadonlyArray<Outage>
  readonly lines: ReadonlyArray<WriteLine>
}

/** `everysec` may hold back the file for so long, and then acknowledges without it, ms. */
const unsavedMillis = 2_000
/** Clients reconnect, and breakers let a call through again, ms. */
const recoveryMillis = 6_000

const only = <T extends WriteLine["t"]>(
  lines: ReadonlyArray<WriteLine>,
  t: T,
): ReadonlyArray<Of<T>> => lines.filter((line): line is Of<T> => line.t === t)

const versionsOf = (
  acknowledged: ReadonlyArray<Acknowledged>,
  tried: ReadonlyArray<Of<"tried">>,
): ReadonlyMap<string, number> => {
  const versions = new Map<string, number>()
  const raise = (id: string, version: number) =>
    void versions.set(id, Math.max(version, versions.get(id) ?? 0))
  for (const { id, version } of acknowledged) raise(id, version)
  for (const { ids, version } of tried) for (const id of ids) raise(id, version)
  return versions
}

export const historyOf = (lines: ReadonlyArray<WriteLine>): History => {
  const begun = new Map(only(lines, "begun").map((line) => [line.id, line]))
  const acknowledged = only(lines, "acknowledged").flatMap(({ at, id, settled, version }) => {
    const line = begun.get(id)
    if (line === undefined) return []
    const { at: from, key, mode, process } = line
    return [{ id, key, mode, process, begun: from, ended: at, version, settled }]
  })
  const tried = only(lines, "tried")
  const faults = only(lines, "fault")
  return {
    acknowledged,
    begun,
    tried,
    reads: only(lines, "read"),
    finals: only(lines, "final"),
    faults,
    sources: new Map(only(lines, "source").map((line) => [line.key, line])),
    versions: versionsOf(acknowledged, tried),
    redisOutages: faults
      .filter(({ kind }) => kind === "kill redis")
      .map(({ from, to }) => ({ from: from - unsavedMillis, to: to + recoveryMillis })),
    lines,
  }
}

/** Whether Redis may have lost a write that it had just acknowledged: it was killed soon after. */
export const mayBeUnsaved = ({ faults }: History, { ended }: Acknowledged): boolean =>
  faults.some(
    ({ from, kind, to }) => kind === "kill redis" && ended > from - unsavedMillis && ended < to,
  )

/** Whether an acknowledged write may be lost, and within which bound. */
export const boundOf = (history: History, write: Acknowledged): "none" | "unsaved" | "memory" => {
  const combo: ComboName = comboIn(write.key)
  if (combo === "memory" && isBehind(write.key)) return "memory"
  return combo === "redis" && mayBeUnsaved(history, write) ? "unsaved" : "none"
}
