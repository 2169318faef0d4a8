/** Figures to a file, for people and programs to read. */
import { writeFileSync } from "node:fs"

export const writeJson = (file: string, figures: unknown): void =>
  writeFileSync(file, `${JSON.stringify(figures, null, 2)}\n`)
