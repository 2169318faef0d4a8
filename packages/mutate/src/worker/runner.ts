/**
 * The runner that Vitest loads in a worker. Vitest only collects the tests of all files; after the
 * last file the session begins.
 */
import * as fc from "fast-check"
import { type RunnerTestFile, type RunnerTestSuite, TestRunner } from "vitest"
import { serve } from "./session.ts"
import { fromEnvironment } from "./settings.ts"
import { collected, takeHooks } from "./suites.ts"
import { install } from "./switchboard.ts"

const settings = fromEnvironment()
const board = install(settings.placements, settings.active)

// A failed property has noticed the mutant: skip shrinking.
fc.configureGlobal({ endOnFailure: true })

const files: Array<RunnerTestFile> = []

export default class CollectingRunner extends TestRunner {
  override async onBeforeRunSuite(suite: RunnerTestSuite): Promise<void> {
    await super.onBeforeRunSuite(suite)
    takeHooks(suite)
  }

  /** Vitest would run the tests of a file here; the session runs them instead. */
  async runSuite(_suite: RunnerTestSuite): Promise<void> {}

  /** Keeps snapshots open: the tests run later. */
  override async onAfterRunSuite(_suite: RunnerTestSuite): Promise<void> {}

  override async onAfterRunFiles(collectedFiles: Array<RunnerTestFile>): Promise<void> {
    files.push(...collectedFiles)
    if (files.length < settings.tests.length) return
    await serve(settings, {
      board,
      tests: collected(files),
      broken: files.filter(({ result }) => result?.state === "fail").map(({ name }) => name),
      prepare: (test) => super.onBeforeTryTask(test, { retry: 0, repeats: 0 }),
    })
    super.onAfterRunFiles(files)
  }
}
