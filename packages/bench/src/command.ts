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
export const wholeNumber = (name: string, text: string, most: number): number => {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (number >= 1 && number <= most) return number
  throw new UsageError(`${name} ${text}: give a whole number from 1 to ${most}`)
}

/** Throws {@link UsageError}; `kind` names the kind of item in the message. */
export const named = <A extends { readonly name: string }>(
  kind: string,
  items: ReadonlyArray<A>,
  wanted: string,
): A => {
  const found = items.find(({ name }) => name === wanted)
  if (found !== undefined) return found
  const known = items.map(({ name }) => name).join(", ")
  throw new UsageError(`there is no ${kind} ${JSON.stringify(wanted)}: give one of ${known}`)
}

/** The items of these names, each once; all where there is no name. Throws {@link UsageError}. */
export const chosen = <A extends { readonly name: string }>(
  kind: string,
  items: ReadonlyArray<A>,
  names: ReadonlyArray<string>,
): ReadonlyArray<A> =>
  names.length === 0 ? items : [...new Set(names)].map((name) => named(kind, items, name))

/** Runs the command with its arguments, or prints the help. */
export const run = async (
  usage: string,
  main: (args: ReadonlyArray<string>) => Promise<void>,
): Promise<void> => {
  const args = process.argv.slice(2)
  if (args.includes("--help")) return console.log(usage)
  try {
    await main(args)
  } catch (error) {
    if (error instanceof UsageError) console.error(`${error.message}\n\n${usage}`)
    else console.error(error)
    process.exitCode = error instanceof UsageError ? 2 : 1
  }
}
