/** A process with one Vitest worker, which loads instrumented sources. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { startVitest } from "vitest/node"
import { fromEnvironment } from "./settings.ts"
import { install } from "./switchboard.ts"

const settings = fromEnvironment()
const code = new Map(
  Object.entries(JSON.parse(readFileSync(settings.code, "utf8")) as Record<string, string>),
)
// A global set-up loads instrumented code as well.
install(settings.placements, 0)

// The command holds the other end: when the command dies, this process and its worker must end.
process.stdin.resume().once("close", () => process.kill(-process.pid, "SIGKILL"))

const needsRedis = settings.tests.some((file) => file.startsWith("packages/redis/"))

await startVitest(
  "test",
  [],
  {
    root: settings.root,
    config: false,
    watch: false,
    include: [...settings.tests],
    globalSetup: needsRedis ? ["packages/redis/test/support/globalSetup.ts"] : [],
    runner: fileURLToPath(new URL("./runner.ts", import.meta.url)),
    pool: "forks",
    // All files in one worker, so that every mutant can run all tests.
    isolate: false,
    // Separate from the workspace's cache: its content depends on the mutated files.
    fsModuleCache: true,
    fsModuleCachePath: settings.cache,
    maxWorkers: 1,
    fileParallelism: false,
    reporters: [{}],
    disableConsoleIntercept: true,
    teardownTimeout: 2_000,
    server: { deps: { external: [/\/docs\/\.snippets\//] } },
  },
  {
    plugins: [
      {
        name: "larder-mutate",
        enforce: "pre",
        transform: (_source, id) => {
          const instrumented = code.get(id.replace(/\?.*$/, ""))
          return instrumented === undefined ? undefined : { code: instrumented, map: null }
        },
      },
    ],
  },
)
process.exit()
