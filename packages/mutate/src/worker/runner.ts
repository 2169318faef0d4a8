/**
 * The runner that Vitest loads in a worker. Vitest collects the tests of all
 * files and runs none; when the last file is collected, the session begins.
 */
import * as fc from "fast-check"
import { type RunnerTestFile, type RunnerTestSuite, TestRunner } from "vitest"
import { serve } from "./session.ts"
import { fromEnvironment } from "./settings.ts"
import { collected, takeHooks } from "./suites.ts"
import { install } from "./switchboard.ts"

const settings = fromEnvironment()
const board = install(settings.placements, settings.active)

// A property that fails has noticed the mutant: nothing is gained by a smaller example.
fc.configureGlobal({ endOnFailure: true })

const files: Array<RunnerTestFile> = []

export default class CollectingRunner extends TestRunner {
  override async onBeforeRunSuite(suite: RunnerTestSuite): Promise<void> {
    await super.onBeforeRunSuite(suite)
    takeHooks(suite)
  }

  /** Instead of running the tests of a file. */
  async runSuite(_suite: RunnerTestSuite): Promise<void> {}

  /** Snapshots stay open: the tests are still to run. */
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
