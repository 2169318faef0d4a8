/** Lists the files on disk that differ from the generated pages. */
import type { Pages } from "./pages.ts"

export const differences = (onDisk: Pages, pages: Pages): ReadonlyArray<string> => [
  ...[...pages]
    .filter(([path, text]) => onDisk.get(path) !== text)
    .map(([path]) => (onDisk.has(path) ? `${path} has changed` : `${path} is missing`)),
  ...[...onDisk.keys()].filter((path) => !pages.has(path)).map((path) => `${path} is left over`),
]
