/**
 * Runs one collected test any number of times: Vitest itself runs a test once. Hooks before and
 * after all tests of a suite run once per worker, without a mutant.
 */
import { type RunnerTestCase, type RunnerTestSuite, type TestContext, TestRunner } from "vitest"
import { limited } from "./limited.ts"
import { hooksOf, suitesOf } from "./suites.ts"
import type { Switchboard } from "./switchboard.ts"

export type Outcome = "passed" | "failed" | "timedOut"

export interface Executor {
  readonly run: (test: RunnerTestCase, limit: number) => Promise<Outcome>
  /** Runs the cleanup hooks of the suites. */
  readonly close: () => Promise<void>
}

type Cleanup = () => unknown

/**
 * Hooks that a test registers while it runs; Vitest keeps them on the test, but not in its type.
 */
interface Registered {
  readonly id: string
  onFinished?: Array<(context: TestContext) => unknown>
  onFailed?: Array<unknown>
}

const cleanupsOf = (results: ReadonlyArray<unknown>): ReadonlyArray<Cleanup> =>
  results.filter((result): result is Cleanup => typeof result === "function")

/** Runs without a mutant, so that a suite's setup is the same for every test. */
const unchanged = async <A>(board: Switchboard, run: () => Promise<A>): Promise<A> => {
  const { active } = board
  board.active = 0
  try {
    return await run()
  } finally {
    board.active = active
  }
}

const inTurn = async (calls: ReadonlyArray<() => unknown>): Promise<ReadonlyArray<unknown>> => {
  const results: Array<unknown> = []
  for (const call of calls) results.push(await call())
  return results
}

const body = async (test: RunnerTestCase): Promise<void> => {
  const suites = suitesOf(test)
  const before = suites.flatMap((suite) =>
    hooksOf(suite).beforeEach.map((hook) => () => hook(test.context, suite)),
  )
  const after = suites
    .toReversed()
    .flatMap((suite) => hooksOf(suite).afterEach.map((hook) => () => hook(test.context, suite)))
  let cleanups: ReadonlyArray<Cleanup> = []
  try {
    cleanups = cleanupsOf(await inTurn(before))
    await TestRunner.getTestFn(test)()
  } finally {
    const registered: Registered = test
    const finished = registered.onFinished ?? []
    delete registered.onFinished
    delete registered.onFailed
    await inTurn([
      ...after,
      ...cleanups.toReversed(),
      ...finished.toReversed().map((hook) => () => hook(test.context)),
    ])
  }
}

const settled = async (test: RunnerTestCase): Promise<Outcome> => {
  const failed = await body(test).then(
    () => false,
    (error: unknown) => !(error instanceof Error && error.name === "PendingError"),
  )
  return failed === (test.fails === true) ? "passed" : "failed"
}

/** `prepare` resets the runner's state for each attempt. */
export const make = (board: Switchboard, prepare: (test: RunnerTestCase) => void): Executor => {
  const opened = new Map<RunnerTestSuite, ReadonlyArray<Cleanup>>()
  const open = async (suite: RunnerTestSuite): Promise<void> => {
    if (opened.has(suite)) return
    opened.set(suite, [])
    const hooks = hooksOf(suite).beforeAll.map((hook) => () => hook(suite))
    opened.set(suite, cleanupsOf(await inTurn(hooks)))
  }
  const close = async ([suite, cleanups]: readonly [RunnerTestSuite, ReadonlyArray<Cleanup>]) => {
    const hooks = hooksOf(suite).afterAll.map((hook) => () => hook(suite))
    await inTurn([...hooks, ...cleanups.toReversed()])
  }
  return {
    run: async (test, limit) => {
      const toOpen = suitesOf(test).filter((suite) => !opened.has(suite))
      if (toOpen.length > 0) {
        await unchanged(board, () => inTurn(toOpen.map((suite) => () => open(suite))))
      }
      test.result = { state: "run", startTime: 0, retryCount: 0 }
      prepare(test)
      return (await limited(settled(test), limit)) ?? "timedOut"
    },
    close: async () => {
      await unchanged(board, () =>
        inTurn([...opened].toReversed().map((each) => () => close(each))),
      )
    },
  }
}
