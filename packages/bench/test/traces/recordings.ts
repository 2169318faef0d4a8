/** The traces that the hit-ratio tests replay: generated ones, and the recordings of the folder that LARDER_TRACES names. */
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { generated, recording, type Source } from "../../src/traces/sources.ts"

const folder = process.env["LARDER_TRACES"]

/** Lists of keys and access logs, not the licences and whatever else is beside them. */
const isRecording = (name: string): boolean => /\.(txt|log)(\.gz)?$/.test(name)

const recordingsIn = (folder: string): ReadonlyArray<Source> => {
  const all = existsSync(folder) ? readdirSync(folder) : []
  const names = all.filter(isRecording).toSorted()
  if (names.length === 0) {
    throw new Error(
      `LARDER_TRACES names ${folder}, which has no recording: put files there that end in .txt or .log, gzipped (.gz) or not, or leave it unset`,
    )
  }
  return names.map((name) => recording(join(folder, name), undefined))
}

if (folder === undefined) {
  console.log(
    "LARDER_TRACES names no folder of recordings: hit ratios are those of generated traffic",
  )
}

export const sources: ReadonlyArray<Source> = [
  ...generated(250_000),
  ...(folder === undefined ? [] : recordingsIn(folder)),
]
