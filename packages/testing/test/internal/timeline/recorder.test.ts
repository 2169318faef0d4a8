import { expect, it } from "vitest"
import { timelineRecords } from "../../../src/internal/limits.ts"
import { Recorder } from "../../../src/internal/timeline/recorder.ts"

it("a timeline forgets its oldest records, never its latest ones", () => {
  const recorder = new Recorder(() => 0)
  let most = 0
  for (let index = 0; index <= 2 * timelineRecords + 10; index++) {
    recorder.note("app", `${index}`)
    most = Math.max(most, recorder.records.length)
  }
  expect(most).toBe(2 * timelineRecords)
  expect(recorder.records.length).toBeGreaterThanOrEqual(timelineRecords)
  expect(recorder.records.length + recorder.forgotten).toBe(2 * timelineRecords + 11)
  expect(recorder.records.at(-1)).toMatchObject({ text: `${2 * timelineRecords + 10}` })
})
