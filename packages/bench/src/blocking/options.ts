/** The command line of `pnpm bench:blocking`. */
import { parse, UsageError, wholeNumber } from "../command.ts"

export interface Options {
  readonly entries: number
}

export const usage = `Usage: pnpm bench:blocking [ENTRIES]

For how long single operations of a larder over memory hold up the event loop while it is full:
by default of a million entries. Reads and writes follow each of them.

Options:
  --help  shows this`

const most = 10_000_000

/** The options, or `"help"`. Throws {@link UsageError}. */
export const options = (args: ReadonlyArray<string>): Options | "help" => {
  const { positionals, values } = parse(args, { help: { type: "boolean", default: false } })
  if (values.help) return "help"
  const [entries = "1000000", ...others] = positionals
  if (others.length > 0)
    throw new UsageError(`${others.join(" ")}: give one number of entries only`)
  return { entries: wholeNumber("ENTRIES", entries, 1, most) }
}
