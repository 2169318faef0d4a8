/** Law 24: nobody sees what a transaction has made and not committed, and a rolled-back one leaves nothing. */
import type { Life, Moment, Transaction } from "../history/History.ts"
import type { Facts } from "./Facts.ts"
import { violation, type Violation } from "./Violation.ts"

/** Somebody got a value. */
interface Seen {
  readonly value: number
  readonly key: string
  readonly life: Life
  readonly at: Moment
}

const seenBy = ({ history, reads }: Facts): ReadonlyArray<Seen> => [
  ...reads.flatMap(({ answers, end, life }) =>
    answers.flatMap((answer) =>
      answer._tag === "Value" && end !== undefined
        ? [{ value: answer.value, key: answer.key, life, at: end }]
        : [],
    ),
  ),
  ...history.runs.flatMap(({ at, call: { life }, key, seen }) =>
    seen === undefined ? [] : [{ value: seen, key, life, at }],
  ),
]

export const transactions = (facts: Facts): ReadonlyArray<Violation> => {
  const made = new Map<number, Transaction>()
  for (const { call, made: value } of facts.history.runs) {
    if (value !== undefined && call.transaction !== undefined) made.set(value, call.transaction)
  }
  if (made.size === 0) return []
  return seenBy(facts).flatMap(({ at, key, life, value }) => {
    const transaction = made.get(value)
    if (transaction === undefined) return []
    const { committed } = transaction
    if (committed !== undefined && committed.order < at.order) return []
    const text = `${value}, of a transaction that ${committed === undefined ? "never commits" : `commits at ${committed.at} ms`}`
    return [violation("uncommitted", at.at, life, key, text)]
  })
}
