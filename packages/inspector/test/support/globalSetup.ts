/** Sees to it, once for all suites, that there are promtool and Prometheus, or says that there are none. */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as PrometheusServer from "@larder/testing/PrometheusServer"
import * as Effect from "effect/Effect"

const find = () => Effect.runPromise(PrometheusServer.find)

const canInstall = (): boolean =>
  process.getuid?.() === 0 &&
  fs.existsSync("/usr/bin/apt-get") &&
  process.env["LARDER_PROMETHEUS"] === undefined

const run = (command: string, ...args: ReadonlyArray<string>): void => {
  execFileSync(command, args, {
    stdio: "ignore",
    timeout: 180_000,
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  })
}

/** The package may start a server of its own, on port 9090: nobody asked for that one. */
const stopService = (): void => {
  try {
    run("service", "prometheus", "stop")
  } catch {
    // It was not started, as in most containers.
  }
}

const install = (): void => {
  console.log("No promtool: installing Prometheus with apt-get, for the tests of alert rules.")
  try {
    run("apt-get", "update")
    run("apt-get", "install", "-y", "--no-install-recommends", "prometheus")
    stopService()
  } catch (cause) {
    console.log(`apt-get did not install prometheus: ${String(cause)}`)
  }
}

const remedy =
  "No promtool: the tests of alert rules and queries are skipped. Install Prometheus, or name the folder of its programs in LARDER_PROMETHEUS."

export default async function setup(): Promise<void> {
  if ((await find()) === undefined && canInstall()) install()
  if ((await find()) !== undefined) return
  if (process.env["LARDER_REQUIRE_PROMETHEUS"] === "1") {
    throw new Error("LARDER_REQUIRE_PROMETHEUS is 1 and there is no promtool and prometheus.")
  }
  console.log(remedy)
}
