/** The command line of `pnpm bench:guard`. */
import { known, parse } from "../command.ts"
import { checkNames as names, checks, type CheckName, isCheck } from "./checks.ts"

export const usage = `Usage: pnpm bench:guard [check ...]

Fails if Larder has become slower than what it is compared with in the same run, or allocates more per operation,
than the bounds in packages/bench/src/guard/checks.ts allow.

Checks (all of them by default):
${names.map((name) => `  ${name.padEnd(23)}${checks[name].title}`).join("\n")}

Options:
  --help    shows this`

const checkFrom = known("check", names, (name) => (isCheck(name) ? name : undefined))

/** The checks, or `"help"`. Throws {@link UsageError}. */
export const options = (args: ReadonlyArray<string>): ReadonlyArray<CheckName> | "help" => {
  const { positionals, values } = parse(args, { help: { type: "boolean", default: false } })
  if (values.help) return "help"
  return positionals.length === 0 ? names : [...new Set(positionals)].map(checkFrom)
}
