/** Where traces come from, and what is known of them beforehand. */
import { basename, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { generate, type Generated, generated } from "./generated.ts"
import { read } from "./read.ts"
import type { Trace } from "./Trace.ts"

export interface Source {
  readonly name: string
  readonly title: string
  readonly load: () => Promise<Trace>
  /** The sizes to replay it at, unless others are asked for. */
  readonly sizes: (keys: number) => ReadonlyArray<number>
  /** Hit ratios in % that a simulation of adaptive W-TinyLFU has, by size. */
  readonly reference: ReadonlyMap<number, number>
  /** The share of what OPT has that an adaptive policy has at least. */
  readonly shareOfOpt: number | undefined
}

interface Bundled {
  readonly file: string
  readonly title: string
  readonly reference: ReadonlyMap<number, number>
}

const bundledFiles: ReadonlyArray<Bundled> = [
  {
    file: fileURLToPath(new URL("../../traces/web12.txt.gz", import.meta.url)),
    title: "requests for pages of a shop",
    reference: new Map([
      [300, 53.71],
      [1_200, 70.73],
      [3_000, 78.35],
    ]),
  },
  {
    file: fileURLToPath(new URL("../../traces/orm-busy.txt.gz", import.meta.url)),
    title: "requests of an object-relational mapper at a busy time",
    reference: new Map([
      [1_250, 80.11],
      [5_000, 86.34],
      [20_000, 94.48],
    ]),
  },
]

/** Shares of the different keys of a trace nothing is known of. */
const shares = [0.02, 0.08, 0.25, 0.75]

export const sizesFor = (keys: number): ReadonlyArray<number> => [
  ...new Set(shares.map((share) => Math.max(1, Math.round(share * keys)))),
]

const bundledSource = ({ file, reference, title }: Bundled): Source => ({
  name: basename(file, ".txt.gz"),
  title,
  load: () => read(file),
  sizes: () => [...reference.keys()],
  reference,
  shareOfOpt: undefined,
})

export const bundledSources: ReadonlyArray<Source> = bundledFiles.map(bundledSource)

/** A file by its path; one of the bundled ones is recognised by it. */
export const fileSource = (path: string): Source => {
  const bundled = bundledFiles.find(({ file }) => file === resolve(path))
  if (bundled !== undefined) return bundledSource(bundled)
  return {
    name: basename(path).replace(/(\.txt|\.trace)?(\.gz)?$/, ""),
    title: path,
    load: () => read(path),
    sizes: sizesFor,
    reference: new Map(),
    shareOfOpt: undefined,
  }
}

const generatedSource = (definition: Generated, seed: number): Source => ({
  name: definition.name,
  title: definition.title,
  load: () => Promise.resolve(generate(definition, seed)),
  sizes: () => definition.sizes,
  reference: new Map(),
  shareOfOpt: definition.shareOfOpt,
})

export const generatedSources = (seed: number): ReadonlyArray<Source> =>
  generated.map((definition) => generatedSource(definition, seed))
