/** The settings that the command passes to a worker in its environment. */

export interface Settings {
  readonly worker: number
  /** The socket of the command. */
  readonly socket: string
  /** The folder of transformed modules, shared by the workers of a run. */
  readonly cache: string
  /** The mutant that is on before anything loads; 0 for none. */
  readonly active: number
  readonly root: string
  /**
   * A file with the instrumented code of each source, by its absolute path: the same for all
   * workers of a run.
   */
  readonly code: string
  /** The test files, relative to `root`. */
  readonly tests: ReadonlyArray<string>
  readonly placements: number
}

const variable = "LARDER_MUTATE_WORKER"

export const toEnvironment = (settings: Settings): Record<string, string> => ({
  [variable]: JSON.stringify(settings),
})

export const fromEnvironment = (): Settings => {
  const text = process.env[variable]
  if (text === undefined) throw new Error(`${variable} is not set: start this with pnpm mutate`)
  return JSON.parse(text) as Settings
}
