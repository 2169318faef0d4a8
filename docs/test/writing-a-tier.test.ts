/** The tier that docs/writing-a-tier.md shows conforms: the kit that the guide names is run on it. */
import { TierConformance } from "@larder/testing"
import type { Tier } from "@larder/core"
import type { Layer } from "effect"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { afterAll } from "vitest"
import { extract, moduleOf, moduleText } from "./snippets.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const guide = "docs/writing-a-tier.md"

const { snippets } = extract(guide, readFileSync(join(root, guide), "utf8"))
const shown = snippets.find(({ code }) => code.includes("export const layer ="))
if (shown === undefined) throw new Error(`${guide} shows no tier: no block exports a layer`)

// Inside the workspace, where imports find its packages.
mkdirSync(join(root, "docs/.snippets"), { recursive: true })
const folder = mkdtempSync(join(root, "docs/.snippets/tier-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
writeFileSync(moduleOf(folder, shown), moduleText(shown))

const { layer } = (await import(pathToFileURL(moduleOf(folder, shown)).href)) as {
  readonly layer: Layer.Layer<Tier.Tier>
}

TierConformance.suite({ name: `the tier of ${guide}`, layer })
