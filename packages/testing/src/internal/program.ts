/** Where the programs of servers are. */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"

export const isExecutable = (file: string): boolean => {
  try {
    fs.accessSync(file, fs.constants.X_OK)
    return fs.statSync(file).isFile()
  } catch {
    return false
  }
}

/** Reads this process's environment, whatever configuration the test provides to its subject. */
export const setting = (name: string): Effect.Effect<string> =>
  // A provider copies the environment as it is made.
  Effect.suspend(() => Config.String(name).parse(ConfigProvider.fromEnv())).pipe(
    Effect.orElseSucceed(() => ""),
  )

/** The program that the variable names, if there is one and it is set, else the first of these names on the `PATH`. */
export const programOf = (variable: string | undefined, names: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const named = variable === undefined ? "" : yield* setting(variable)
    if (named !== "") return isExecutable(named) ? named : undefined
    const folders = (yield* setting("PATH")).split(path.delimiter).filter((folder) => folder !== "")
    return names
      .flatMap((name) => folders.map((folder) => path.join(folder, name)))
      .find(isExecutable)
  })
