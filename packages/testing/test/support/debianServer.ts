/**
 * Sees to it, once for all suites, that the programs of a server are there: installs them where it may, or
 * says that there are none.
 */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as Effect from "effect/Effect"

export interface DebianServer {
  readonly find: Effect.Effect<unknown>
  /** The program in what is said. */
  readonly program: string
  /** Its package, and the service that the package may start. */
  readonly name: string
  /** The tests that need it. */
  readonly tests: string
  /** What to install by hand, or to name in `variable`. */
  readonly remedy: string
  /** The variable that names the program. */
  readonly variable: string
  /** The variable that is 1 where the tests must run. */
  readonly required: string
}

const run = (command: string, ...args: ReadonlyArray<string>): void => {
  execFileSync(command, args, {
    stdio: "ignore",
    timeout: 180_000,
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  })
}

const canInstall = ({ variable }: DebianServer): boolean =>
  process.getuid?.() === 0 &&
  fs.existsSync("/usr/bin/apt-get") &&
  process.env[variable] === undefined

/** The package may start a server of its own: nobody asked for that one. */
const stopService = ({ name }: DebianServer): void => {
  try {
    run("service", name, "stop")
  } catch {
    // It was not started, as in most containers.
  }
}

const install = (server: DebianServer): void => {
  const { name, program, tests } = server
  console.log(`No ${program}: installing ${name} with apt-get, for ${tests}.`)
  try {
    run("apt-get", "update")
    run("apt-get", "install", "-y", "--no-install-recommends", name)
    stopService(server)
  } catch (cause) {
    console.log(`apt-get did not install ${name}: ${String(cause)}`)
  }
}

export const seeTo = async (server: DebianServer): Promise<void> => {
  const find = () => Effect.runPromise(server.find)
  const { program, remedy, required, tests } = server
  if ((await find()) === undefined && canInstall(server)) install(server)
  if ((await find()) !== undefined) return
  if (process.env[required] === "1") throw new Error(`${required} is 1 and there is no ${program}.`)
  console.log(`No ${program}: ${tests} are skipped. ${remedy}`)
}
