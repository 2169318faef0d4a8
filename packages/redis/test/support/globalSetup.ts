/** Sees to it, once for all suites, that there is a Redis server to test against, or says that there is none. */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Effect from "effect/Effect"

const find = () => Effect.runPromise(RedisServer.find)

const canInstall = (): boolean =>
  process.getuid?.() === 0 &&
  fs.existsSync("/usr/bin/apt-get") &&
  process.env["LARDER_REDIS_SERVER"] === undefined

const run = (command: string, ...args: ReadonlyArray<string>): void => {
  execFileSync(command, args, {
    stdio: "ignore",
    timeout: 180_000,
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  })
}

/** The package may start a server of its own: nobody asked for that one. */
const stopService = (): void => {
  try {
    run("service", "redis-server", "stop")
  } catch {
    // It was not started, as in most containers.
  }
}

const install = (): void => {
  console.log("No redis-server: installing it with apt-get, for the tests that talk to Redis.")
  try {
    run("apt-get", "update")
    run("apt-get", "install", "-y", "--no-install-recommends", "redis-server")
    stopService()
  } catch (cause) {
    console.log(`apt-get did not install redis-server: ${String(cause)}`)
  }
}

const remedy =
  "No redis-server: the tests that talk to Redis are skipped. Install Redis or Valkey, or name its program in LARDER_REDIS_SERVER."

export default async function setup(): Promise<void> {
  if ((await find()) === undefined && canInstall()) install()
  if ((await find()) !== undefined) return
  if (process.env["LARDER_REQUIRE_REDIS"] === "1") {
    throw new Error("LARDER_REQUIRE_REDIS is 1 and there is no redis-server.")
  }
  console.log(remedy)
}
