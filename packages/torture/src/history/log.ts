/** A file of lines that survive the death of the process that wrote them. */
import * as fs from "node:fs"
import type { Line } from "./Line.ts"

export interface Log<in L = Line> {
  readonly write: (line: L) => void
}

/** The kernel has each line when `write` returns. */
export const open = <L = Line>(file: string): Log<L> => {
  const descriptor = fs.openSync(file, "a")
  return { write: (line) => void fs.writeSync(descriptor, `${JSON.stringify(line)}\n`) }
}

/** The last line of a killed process may be cut off: it is ignored. */
export const parse = <L = Line>(text: string): ReadonlyArray<L> =>
  text.split("\n").flatMap((line) => {
    try {
      return line === "" ? [] : [JSON.parse(line) as L]
    } catch {
      return []
    }
  })

/** The lines of all files in a folder. */
export const readAll = <L = Line>(folder: string): ReadonlyArray<L> =>
  fs
    .readdirSync(folder)
    .filter((name) => name.endsWith(".jsonl"))
    .toSorted()
    .flatMap((name) => parse<L>(fs.readFileSync(`${folder}/${name}`, "utf8")))
