/** The process that child.ts forks: `worker.ts <module> <argument ...>`. */

interface Measured {
  readonly figures: (...args: ReadonlyArray<string>) => Promise<unknown>
}

const [module = "", ...args] = process.argv.slice(2)
const { figures }: Measured = await import(module)
// Ends the process even if a library has left timers running.
process.send?.(await figures(...args), () => process.exit())
