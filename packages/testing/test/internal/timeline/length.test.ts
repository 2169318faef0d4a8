/** Timelines of any length: 200,000 records are more than the arguments that a call can have. */
import { expect, it } from "vitest"
import { lanes } from "../../../src/internal/timeline/lanes.ts"
import type { Record } from "../../../src/internal/timeline/record.ts"
import { settlesWithin } from "../../../src/internal/timeline/settling.ts"

it("a timeline of 200,000 records on one node is drawn as text", () => {
  const records = Array.from({ length: 200_000 }, (_, at): Record => ({
    _tag: "Noted",
    at,
    node: "A",
    text: `${at}`,
  }))
  const lines = lanes({ records, began: 0, nodes: ["A"] }).split("\n")
  expect(lines).toHaveLength(records.length + 1)
})

it("settlesWithin reads each record a few times, however many changes there are", () => {
  let read = 0
  const counted: Record = {
    get _tag() {
      read += 1
      return "Noted" as const
    },
    at: 0,
    node: "A",
    text: "",
  }
  const changes = Array.from({ length: 1_000 }, (_, call): Record => {
    const ack = { version: call + 1, settled: call % 2 === 0, pending: [] }
    return {
      _tag: "Answered",
      at: 0,
      node: "A",
      larder: "prices",
      call,
      method: "set",
      keys: [`k${call % 10}`],
      millis: 0,
      answers: [{ _tag: "Changed", ack }],
    }
  })
  const recovered: Record = {
    _tag: "Happened",
    at: 1,
    node: "A",
    larder: "prices",
    event: { _tag: "Recovered", larder: "prices", at: 1, tier: "shared", changes: 500 },
  }
  const subject = { key: undefined, node: undefined, larder: undefined }
  const surroundings = { now: 10, began: 0, clusterOf: () => "A" }
  const check = settlesWithin(5)
  expect(check([counted, ...changes, recovered], subject, surroundings)).toBeUndefined()
  expect(read).toBeGreaterThan(0)
  expect(read).toBeLessThan(10)
})
