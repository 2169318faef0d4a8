/** A process with one worker of Vitest in it, which loads instrumented sources. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { startVitest } from "vitest/node"
import { fromEnvironment } from "./settings.ts"
import { install } from "./switchboard.ts"

const settings = fromEnvironment()
const code = new Map(
  Object.entries(JSON.parse(readFileSync(settings.code, "utf8")) as Record<string, string>),
)
// What a global set-up loads is instrumented as well.
install(settings.placements, 0)

// The command holds the other end: where it has died, neither this process nor its worker may run on.
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
    // All files in one worker, and so all tests at hand for every mutant.
    isolate: false,
    // Apart from the cache of the workspace: what is in it depends on what is mutated.
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
