/** The collected tests with their names and the hooks around them. */
import { type RunnerTestFile, type RunnerTestSuite, TestRunner } from "vitest"
import type { RunnerTestCase } from "vitest"

export interface Collected {
  readonly key: string
  readonly test: RunnerTestCase
}

const testsOf = (suite: RunnerTestSuite): ReadonlyArray<RunnerTestCase> =>
  suite.mode === "skip" || suite.mode === "todo"
    ? []
    : suite.tasks.flatMap((task) => {
        if (task.type === "suite") return testsOf(task)
        return task.mode === "run" || task.mode === "queued" ? [task] : []
      })

/** The suites around a test, the file first. */
export const suitesOf = (test: RunnerTestCase): ReadonlyArray<RunnerTestSuite> => {
  const suites: Array<RunnerTestSuite> = []
  for (let suite = test.suite; suite !== undefined; suite = suite.suite) suites.unshift(suite)
  return suites[0] === test.file ? suites : [test.file, ...suites]
}

/** The tests by file and name; tests with the same name get numbers. */
export const collected = (files: ReadonlyArray<RunnerTestFile>): ReadonlyArray<Collected> => {
  const seen = new Map<string, number>()
  return files.flatMap((file) =>
    testsOf(file).map((test) => {
      const name = `${file.name} > ${test.fullTestName}`
      const count = (seen.get(name) ?? 0) + 1
      seen.set(name, count)
      return { key: count === 1 ? name : `${name} (${count})`, test }
    }),
  )
}

type Hooks = ReturnType<typeof TestRunner.getSuiteHooks>

const taken = new WeakMap<RunnerTestSuite, Hooks>()

export const hooksOf = (suite: RunnerTestSuite): Hooks =>
  taken.get(suite) ?? TestRunner.getSuiteHooks(suite)

/** Removes a file's hooks from Vitest, which would run them around none of its tests. */
export const takeHooks = (file: RunnerTestSuite): void => {
  const hooks = TestRunner.getSuiteHooks(file)
  taken.set(file, { ...hooks, beforeAll: [...hooks.beforeAll], afterAll: [...hooks.afterAll] })
  hooks.beforeAll.length = 0
  hooks.afterAll.length = 0
}
