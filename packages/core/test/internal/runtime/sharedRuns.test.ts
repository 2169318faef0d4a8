import { expect, it } from "vitest"
import { Chain, Linked } from "../../../src/internal/runtime/linkedSet.ts"
import { type SharedRun, SharedRuns } from "../../../src/internal/runtime/sharedRuns.ts"

class Waiter extends Linked<Waiter> {}

interface Run extends SharedRun<string, Waiter> {
  readonly name: string
}

const runOf = (name: string, cancel = () => {}): Run => ({
  k: "k",
  name,
  waiters: new Chain<Waiter>(),
  cancel,
})

const runs = () => new SharedRuns<string, Waiter, Run>()

it("a run is joined from its begin until it is freed", () => {
  const shared = runs()
  const run = runOf("first")
  expect([shared.at("k"), shared.size]).toEqual([undefined, 0])
  shared.begin(run)
  expect([shared.at("k"), shared.at("other"), shared.size]).toEqual([run, undefined, 1])
  shared.free(run)
  expect([shared.at("k"), shared.size]).toEqual([undefined, 0])
})

it("freeing a run leaves a newer one of its key", () => {
  const shared = runs()
  const [older, newer] = [runOf("older"), runOf("newer")]
  shared.begin(older)
  shared.begin(newer)
  shared.free(older)
  expect(shared.at("k")).toBe(newer)
})

it("a caller that is answered, and asks for the key again at once, begins a new run", () => {
  const shared = runs()
  const run = runOf("first")
  shared.begin(run)
  const waiters = [new Waiter(), new Waiter()]
  for (const waiter of waiters) run.waiters.add(waiter)
  const answered: Array<readonly [Waiter, Run | undefined]> = []
  shared.complete(run, (waiter) => answered.push([waiter, shared.at("k")]))
  expect(answered).toEqual(waiters.map((waiter) => [waiter, undefined]))
  expect(run.waiters.size).toBe(0)
})

it("a caller that comes while a run is cancelled does not join it", () => {
  const shared = runs()
  const seen: Array<Run | undefined> = []
  const run = runOf("first", () => seen.push(shared.at("k")))
  shared.begin(run)
  shared.abandon(run)
  expect(seen).toEqual([undefined])
})

it("clearing leaves nothing to join", () => {
  const shared = runs()
  shared.begin(runOf("first"))
  shared.clear()
  expect([shared.at("k"), shared.size]).toEqual([undefined, 0])
})
