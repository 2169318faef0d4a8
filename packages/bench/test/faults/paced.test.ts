import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { paced } from "../../src/faults/paced.ts"

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] })
})
afterEach(() => {
  vi.useRealTimers()
})

const after = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

it("calls begin at their pace, though none before has ended", async () => {
  const begins: Array<number> = []
  const start = performance.now()
  const running = paced({ calls: 4, everyMillis: 5, patienceMillis: 1_000 }, () => {
    begins.push(performance.now() - start)
    return after(100)
  })
  await vi.advanceTimersByTimeAsync(15)
  expect(begins).toEqual([0, 5, 10, 15])
  await vi.advanceTimersByTimeAsync(100)
  expect(await running).toEqual(
    Array.from({ length: 4 }, () => ({ hasFailed: false, millis: 100 })),
  )
})

it("a failed call has taken time as well, and one that never ends is given up", async () => {
  const running = paced({ calls: 2, everyMillis: 1, patienceMillis: 50 }, (number) =>
    number === 0 ? after(20).then(() => Promise.reject(new Error("away"))) : new Promise(() => {}),
  )
  await vi.advanceTimersByTimeAsync(51)
  expect(await running).toEqual([
    { hasFailed: true, millis: 20 },
    { hasFailed: false, millis: 50 },
  ])
})
