/** A file of lines that survive the death of the process that wrote them. */
import * as fs from "node:fs"
import type { Line } from "./Line.ts"

export interface Log {
  readonly write: (line: Line) => void
}

/** The kernel has each line when `write` returns. */
export const open = (file: string): Log => {
  const descriptor = fs.openSync(file, "a")
  return { write: (line) => void fs.writeSync(descriptor, `${JSON.stringify(line)}\n`) }
}

/** The last line of a killed process may be cut off: it is ignored. */
export const parse = (text: string): ReadonlyArray<Line> =>
  text.split("\n").flatMap((line) => {
    try {
      return line === "" ? [] : [JSON.parse(line) as Line]
    } catch {
      return []
    }
  })

/** The lines of all files in a folder. */
export const readAll = (folder: string): ReadonlyArray<Line> =>
  fs
    .readdirSync(folder)
    .filter((name) => name.endsWith(".jsonl"))
    .toSorted()
    .flatMap((name) => parse(fs.readFileSync(`${folder}/${name}`, "utf8")))
