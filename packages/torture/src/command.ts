/** The common parts of the two commands: numbers and names of the command line, and what must be there. */
import { parseArgs, type ParseArgsConfig } from "node:util"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { now } from "./clock.ts"

/** Bad input, with a remedy. */
export class UsageError extends Error {}

/** As `parseArgs`. Throws {@link UsageError}. */
export const parse = <const O extends NonNullable<ParseArgsConfig["options"]>>(
  args: ReadonlyArray<string>,
  options: O,
) => {
  try {
    return parseArgs({ args: [...args], options }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/** Throws {@link UsageError}; `name` is the option's name in the message. */
export const number = (name: string, text: string, least: number, most: number): number => {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw new UsageError(`${name} ${text}: give a whole number from ${least} to ${most}`)
}

/** The names in the text of `--only`, all of which must be known. Throws {@link UsageError}. */
export const namesIn = (only: string, known: ReadonlyArray<string>): ReadonlyArray<string> => {
  const names = only.split(",").filter((name) => name !== "")
  const unknown = names.find((name) => !known.includes(name))
  if (unknown === undefined) return names
  throw new UsageError(`--only ${unknown}: give one of ${known.join(", ")}, or several with commas`)
}

/** The seed of `--seed`, or a drawn one. Throws {@link UsageError}. */
export const seedOf = (text: string | undefined, drawSeed: () => number): number =>
  text === undefined ? drawSeed() : number("--seed", text, 0, 2 ** 32 - 1)

/** Whether the variable says that a server must be there. */
export const isRequired = (variable: string): Effect.Effect<boolean> =>
  Config.String(variable)
    .parse(ConfigProvider.fromEnv())
    .pipe(
      Effect.map((text) => text === "1"),
      Effect.orElseSucceed(() => false),
    )

const drawSeed = (): number => Math.floor(now() * 1_000) % 1_000_000

/** Runs a command with its options, or prints its help. */
export const runCommand = <Options>(
  usage: string,
  options: (args: ReadonlyArray<string>, drawSeed: () => number) => Options | "help",
  main: (chosen: Options) => Effect.Effect<void, unknown>,
): void => {
  try {
    const chosen = options(process.argv.slice(2), drawSeed)
    if (chosen === "help") console.log(usage)
    else NodeRuntime.runMain(main(chosen))
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(`${error.message}\n\n${usage}`)
    process.exitCode = 2
  }
}
