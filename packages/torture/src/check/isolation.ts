/** When one server of a cluster is down, only its own keys suffer. */
import type { History, Read } from "../history/History.ts"
import type { Violation } from "./Violation.ts"

const strip = ({ by: _, ...line }: Read) => line
/** How long clients take to notice the outage. */
const notice = 1_000
/** Fewer reads prove nothing. */
const least = 20

/** A `read` asks Redis when memory has nothing fresh, and then finds the value. */
const wasServed = ({ freshness }: Read): boolean => freshness === "fresh"

/**
 * A node that missed more marks than it keeps treats everything as invalidated until it has sent
 * them.
 */
const isFlooded = ({ faults }: History, node: string, from: number, to: number): boolean =>
  faults.some(
    (fault) =>
      fault.kind === "flood" &&
      fault.detail.startsWith(`${node} `) &&
      fault.from < to &&
      fault.to > from,
  )

export const isolation = (history: History): ReadonlyArray<Violation> =>
  history.faults.flatMap(({ detail, from, to, unharmed = [] }) => {
    const keys = new Set(unharmed)
    const during = history.reads.filter(
      ({ begin, end, key, op }) =>
        op === "read" && keys.has(key) && begin > from + notice && end < to,
    )
    // Only keys with a value right before the fault: a key without one proves nothing.
    const present = new Set(
      history.reads
        .filter(({ begin, end, key }) => keys.has(key) && begin > from - 1_000 && end < from)
        .filter((read) => read.by.node === "observer" && wasServed(read))
        .map(({ key }) => key),
    )
    // A closed larder serves nothing, even with healthy servers.
    const asked = during.filter(
      ({ by, error, key }) =>
        by.node !== "observer" && present.has(key) && error !== "LarderClosed",
    )
    return [...Map.groupBy(asked, ({ session }) => session).values()].flatMap((reads) => {
      const served = reads.filter(wasServed)
      const active = history.active(reads[0]!.by.node, from, to)
      if (active < 0.8 * (to - from)) return []
      if (isFlooded(history, reads[0]!.by.node, from, to)) return []
      if (reads.length < least || served.length * 10 >= reads.length) return []
      const text = `${reads[0]!.by.node} was given ${served.length} of ${reads.length} values of keys on masters that were well (${detail})`
      return [
        {
          rule: "unharmed keys not served" as const,
          larder: history.larder,
          key: undefined,
          at: from,
          text,
          about: reads[0]!.session,
          lines: reads.slice(0, 5).map(strip),
        },
      ]
    })
  })
