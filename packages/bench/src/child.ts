/**
 * Runs modules in processes of their own, so that V8 optimises the code of each only for its own
 * calls.
 */
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"

const worker = fileURLToPath(new URL("./worker.ts", import.meta.url))

/**
 * Calls the function `figures` of a module of the bench with these arguments, in a process with
 * these flags of Node; discards its output.
 */
export const figuresOf = <Figures>(
  module: string,
  args: ReadonlyArray<string>,
  flags: ReadonlyArray<string> = [],
): Promise<Figures> =>
  new Promise((resolve, reject) => {
    const child = fork(worker, [module, ...args], {
      execArgv: [...flags],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    })
    let figures: { readonly told: Figures } | undefined
    child.once("message", (told: Figures) => {
      figures = { told }
    })
    child.once("error", reject)
    child.once("exit", (code) => {
      if (figures !== undefined) return resolve(figures.told)
      reject(new Error(`${args.join(" ")}: ended with ${code} before it had figures`))
    })
  })

/** Runs rounds with the contenders in turn; reports progress on standard error. */
export const runRounds = async <Figures>(
  title: string,
  contenders: ReadonlyArray<string>,
  count: number,
  run: (contender: string) => Promise<Figures>,
): Promise<ReadonlyMap<string, ReadonlyArray<Figures>>> => {
  const rounds = new Map(contenders.map((name): [string, Array<Figures>] => [name, []]))
  for (let round = 1; round <= count; round++) {
    for (const [name, figures] of rounds) {
      process.stderr.write(`${title}, round ${round} of ${count}: ${name}\n`)
      figures.push(await run(name))
    }
  }
  return rounds
}
