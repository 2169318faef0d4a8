/** A result that breaks a law. */
import type { Life } from "../history/History.ts"

/** What a run must hold, by the numbers of docs/guarantees.md. */
export const laws = {
  known: "5, 11, 16: every value was made for its key",
  fresh: "1, 20, 21: fresh values are in time",
  stale: "4: nothing after its grace",
  excuse: "2, 3: error grace needs a failure",
  noStaleSet: "11, 18, 19: nothing older is fresh",
  dropped: "12: what was dropped is gone",
  demand: "2: demands of a caller hold",
  checked: "11: checked reads see settled changes",
  foreign: "16: no value of another release",
  repaired: "16: a load repairs, and stays",
  error: "6, 8: errors come from a lookup",
  oneLookup: "7: one lookup per key and node",
  leftBehind: "3, 8: no lookup ends without a cause",
  needless: "1, 7: no lookup while a value is fresh",
  oneLookupOfAll: "7, 10: one lookup in all nodes",
  inTime: "9, 14: every caller is answered in time",
  kept: "13, 15: settled sets stay",
  agree: "18, 19: nodes agree after healing",
  recovered: "15: nothing is undone after healing",
  bounded: "17: memory is bounded",
  same: "21: the same seed, the same events",
  written: "23: nothing older than a write is fresh",
  uncommitted: "24: nothing of an open transaction is visible",
  counted: "25: no update is lost or twice",
  leased: "30: one holder of a lease, which learns of its loss",
  closed: "22: nothing is left after the end",
} as const

export type Law = keyof typeof laws

export interface Violation {
  readonly law: Law
  /** ms of virtual time. */
  readonly at: number
  readonly node: number | undefined
  readonly key: string | undefined
  readonly text: string
}

export const violation = (
  law: Law,
  at: number,
  life: Life | undefined,
  key: string | undefined,
  text: string,
): Violation => ({ law, at, node: life?.node, key, text })

export const shownNode = (node: number): string => String.fromCharCode(65 + (node % 26))

export const shown = ({ at, key, law, node, text }: Violation): string => {
  const where = node === undefined ? "" : ` ${shownNode(node)}`
  return `${at} ms${where}${key === undefined ? "" : ` ${key}`}: law ${laws[law]}: ${text}`
}
