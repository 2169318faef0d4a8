/**
 * What the histories of scenarios must show beyond the laws, whose rules allow what an observer cannot
 * decide in every plan.
 */
import type { Answer, Change, History, Read } from "../history/History.ts"
import { key } from "./steps.ts"

/** What is wrong with a history; undefined for nothing. */
export type Expectation = (history: History) => string | undefined

const freshIn = (answer: Answer | undefined): number | undefined =>
  answer?._tag === "Value" && answer.freshness === "Fresh" ? answer.value : undefined

const lastSet = ({ calls }: History, node: number): number | undefined =>
  calls.findLast(
    (call): call is Change =>
      call._tag === "Change" && call.op === "set" && call.life.node === node,
  )?.value

/** Reads of the key when all has healed. */
const finalReads = ({ calls }: History): ReadonlyArray<Read> =>
  calls.filter(
    (call): call is Read =>
      call._tag === "Read" && call.isFinal && call.op === "read" && call.keys[0] === key,
  )

const shownAll = (values: ReadonlyArray<number | undefined>): string =>
  values.map((value) => value ?? "none").join(", ")

/** At the end the value of the last `set` of a node is fresh on every node. */
export const keepsSetOf =
  (node: number): Expectation =>
  (history) => {
    const value = lastSet(history, node)
    const found = finalReads(history).map(({ answers }) => freshIn(answers[0]))
    return value !== undefined && found.every((one) => one === value)
      ? undefined
      : `${value}, set last, is not fresh at the end: ${shownAll(found)}`
  }

/** The breakers of a node are closed after the last step. */
export const closesBreakers =
  (node: number): Expectation =>
  ({ samples }) => {
    const last = samples.findLast(({ life }) => life.node === node)
    return last === undefined || last.openBreakers.length === 0
      ? undefined
      : `the breaker of ${last.openBreakers.join(", ")} is open`
  }

/** A node gets the key without a lookup. */
export const looksUpNothing =
  (node: number): Expectation =>
  ({ lookups }) => {
    const found = lookups.find((lookup) => lookup.key === key && lookup.life.node === node)
    return found && `a lookup at ${found.begin.at} ms, although the arbiter has the value`
  }
