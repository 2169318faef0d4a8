/** The common parts of the bench's commands: bad input, help, the exit status. */
import { parseArgs, type ParseArgsConfig } from "node:util"

/** Bad input, with a remedy. */
export class UsageError extends Error {}

/** As `parseArgs`, with positional arguments and options. Throws {@link UsageError}. */
export const parse = <const O extends NonNullable<ParseArgsConfig["options"]>>(
  args: ReadonlyArray<string>,
  options: O,
) => {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/** Throws {@link UsageError}; `name` is the option's name in the message. */
export const wholeNumber = (name: string, text: string, least: number, most: number): number => {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (number >= least && number <= most) return number
  throw new UsageError(`${name} ${text}: give a whole number from ${least} to ${most}`)
}

/**
 * Finds an item by name. Throws {@link UsageError}; `kind` names the kind of item in the message.
 */
export const known =
  <A>(kind: string, names: ReadonlyArray<string>, find: (name: string) => A | undefined) =>
  (name: string): A => {
    const found = find(name)
    if (found !== undefined) return found
    throw new UsageError(
      `there is no ${kind} ${JSON.stringify(name)}: give one of ${names.join(", ")}`,
    )
  }

/** Runs the command, or prints the help. */
export const run = async <Options>(
  usage: string,
  options: (args: ReadonlyArray<string>) => Options | "help",
  main: (chosen: Options) => Promise<void>,
): Promise<void> => {
  try {
    const chosen = options(process.argv.slice(2))
    if (chosen === "help") console.log(usage)
    else await main(chosen)
  } catch (error) {
    if (error instanceof UsageError) console.error(`${error.message}\n\n${usage}`)
    else console.error(error)
    process.exitCode = error instanceof UsageError ? 2 : 1
  }
}
