import { defineConfig } from "vitest/config"

/** Where to leave the results as JSON as well; `.ci/run` counts the tests from it. */
const report = process.env["LARDER_TEST_REPORT"]

export default defineConfig({
  test: {
    include: [
      "packages/*/test/**/*.test.ts",
      "examples/*/test/**/*.test.ts",
      "docs/test/**/*.test.ts",
    ],
    globalSetup: [
      "packages/redis/test/support/globalSetup.ts",
      "packages/inspector/test/support/globalSetup.ts",
      "packages/sql/test/support/globalSetup.ts",
    ],
    reporters: report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]],
    // One module graph for all files: loading Effect for each would take longer than the tests.
    isolate: false,
    // Time-outs find what hangs. A machine that does other things takes some tests five times as long.
    testTimeout: 20_000,
    // The code blocks of the guides run as Node itself runs them.
    server: { deps: { external: [/\/docs\/\.snippets\//] } },
  },
})
