/** docs/limits.md shows each bound, with its value; and each bound stands in the module of its package. */
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { modules, sections, shown, withTables } from "../scripts/limits-table.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** The formatter pads the cells of tables. */
const unpadded = (page: string) => page.replaceAll(/ +/g, " ").replaceAll(/-{3,}/g, "---")

it("the tables of the limits are those of the modules", () => {
  const page = readFileSync(join(root, "docs/limits.md"), "utf8")
  // `npx --yes pnpm@12 exec node docs/scripts/limits-table.ts` brings it up to date.
  expect(unpadded(page)).toBe(unpadded(withTables(page)))
})

it.each(Object.entries(modules))("the tables show each bound of %s", (_, limits) => {
  const rows = sections.filter(({ of }) => of === limits).flatMap(({ rows }) => rows)
  const told = new Set(rows.map(([constant]) => constant))
  expect([...told].toSorted()).toEqual(Object.keys(limits).toSorted())
})

it("no two rows say the same", () => {
  const rows = sections.flatMap(({ rows, title }) => rows.map(([, what]) => `${title}: ${what}`))
  expect(new Set(rows).size).toBe(rows.length)
})

it.each([
  ["xMillis", 50, "50 ms"],
  ["xMillis", 1_500, "1,500 ms"],
  ["xMillis", 60_000, "60 s"],
  ["xMillis", 120_000, "2 minutes"],
  ["xMillis", 3_600_000, "1 hour"],
  ["xMillis", 604_800_000, "7 days"],
  ["xBytes", 1_024, "1,024 bytes"],
  ["xBytes", 65_536, "64 KiB"],
  ["xBytes", 268_435_456, "256 MiB"],
  ["bytesPerX", 1_000_000, "1 MB"],
  ["x", 100_000, "100,000"],
])("the unit of %s is in its name: %d is %s", (constant, value, text) => {
  expect(shown(constant, value)).toBe(text)
})

/**
 * Numbers of an algorithm, of a format or of a platform, by file: no bounds. A number that bounds a
 * queue, a memory, a batch, a pause or a retention belongs into limits.ts.
 */
const technical: Readonly<Record<string, ReadonlyArray<string>>> = {
  "core/src/internal/lease/hold.ts": ["partOfRenewal"],
  "core/src/internal/behind/behind.ts": ["roundingMillis"],
  "core/src/internal/memory/bounded/bounded.ts": [
    "expiredPerWrite",
    "shrunkPerWrite",
    "hitsLogged",
  ],
  "core/src/internal/memory/bounded/columns.ts": ["firstSlot", "none", "chunkBits"],
  "core/src/internal/memory/bounded/expiryHeap.ts": ["arity"],
  "core/src/internal/memory/bounded/frequencySketch.ts": [
    "blockBits",
    "blockLength",
    "entriesPerBlock",
    "sampleFactor",
    "fewestEntries",
    "halvedPerCount",
  ],
  "core/src/internal/memory/bounded/hashIndex.ts": ["bucketsPerSlot", "fewestBuckets"],
  "core/src/internal/memory/bounded/leastRecentlyUsed.ts": ["list"],
  "core/src/internal/memory/bounded/lruShadow.ts": ["sampledOfFew", "sampledOfMany", "maskOfMany"],
  "core/src/internal/memory/bounded/tinyLfu.ts": [
    "window",
    "probation",
    "guarded",
    "guardedShare",
    "requestsPerSample",
    "requestsPerGlance",
    "clearlyBehind",
    "movesPerRequest",
    "warm",
    "losersPerLucky",
  ],
  "core/src/internal/memory/bounded/windowShare.ts": [
    "initialShare",
    "least",
    "most",
    "mostAgainstLru",
    "step",
    "stepTowardsLru",
  ],
  "core/src/internal/memory/endedKeys.ts": ["perBucket", "fewestBuckets", "free"],
  "core/src/internal/observe/countWindow.ts": ["leastOfShare"],
  "core/src/internal/observe/detectors.ts": [
    "leastNewShare",
    "coldStartSeconds",
    "coldForGoodSeconds",
    "noticeableRefreshes",
    "shownSamples",
  ],
  "core/src/internal/observe/hysteresis.ts": ["windowsToRaise", "windowsToClear"],
  "core/src/internal/observe/keyDisplay.ts": ["shownBytes", "secretBytes"],
  "core/src/internal/observe/logLines.ts": ["windowsPerSummary"],
  "core/src/internal/runtime/deadlines.ts": ["cutAfter", "rounding"],
  "core/src/internal/runtime/processLife.ts": ["longestTimer"],
  "core/src/internal/runtime/steadyClock.ts": ["readingsPerMilli", "leastMillis"],
  "core/src/internal/runtime/turns.ts": ["littleMillis"],
  "core/src/internal/state/key.ts": ["hash"],
  "core/src/internal/tier/tierClock.ts": ["drift"],
  "core/src/internal/wire/aesGcm.ts": ["nonceLength", "tagLength"],
  "core/src/internal/wire/keyring.ts": ["keyLength", "maxIdLength"],
  "core/src/internal/wire/msgpackShape.ts": ["maxDepth"],
  "redis/src/internal/backplaneMessages.ts": ["format"],
  "redis/src/internal/client/deadlines.ts": ["rounding"],
  "redis/src/internal/client/options.ts": ["longest"],
  "redis/src/internal/client/subscriber.ts": ["placesForGaps"],
  "redis/src/internal/keySlot.ts": ["slots"],
  "redis/src/internal/keys.ts": ["blocks", "slotsPerBlock"],
  "redis/src/internal/marks/messages.ts": ["longestStart"],
  "redis/src/internal/scripts/clocks.ts": ["unknown"],
  "redis/src/internal/scripts/tell.ts": ["format"],
  "redis/src/internal/tier/reading.ts": ["headerBytes"],
  "redis/src/internal/tier/store.ts": ["farthest"],
  "sql/src/internal/feed/options.ts": ["leastPoll"],
  "sqlite/src/internal/client/failure.ts": ["busySnapshot"],
  "sqlite/src/internal/diskRoom.ts": ["pageBytes", "frameBytes", "mostPages"],
  "sqlite/src/internal/header.ts": ["headerBytes", "counterAt", "applicationIdAt"],
}

/** A constant of a module whose value is a number, perhaps calculated. */
const numberConstant = /^(?:export )?const (\w+) = (?:\(?\w+ (?:[-+*]|<<) )?[\d_.]+(?: |\)|$)/gm

describe("each number of a module is a bound in limits.ts, or of an algorithm", () => {
  const files = globSync("{core,redis,sql,sqlite}/src/internal/**/*.ts", {
    cwd: join(root, "packages"),
  }).filter((file) => !file.endsWith("/limits.ts"))

  it("looks at the sources", () => {
    expect(files.length).toBeGreaterThan(100)
    const found = `const a = 5\nexport const b = 2 * 1_000\nconst c = d - 1\nconst e = 4 * f\nconst g = h`
    expect([...found.matchAll(numberConstant)].map(([, name]) => name)).toEqual([
      "a",
      "b",
      "c",
      "e",
    ])
  })

  it("finds no other number", () => {
    const found = files.flatMap((file) => {
      const names = [
        ...readFileSync(join(root, "packages", file), "utf8").matchAll(numberConstant),
      ].map(([, name]) => name!)
      return names.length === 0 ? [] : [[file, names] as const]
    })
    expect(Object.fromEntries(found)).toEqual(technical)
  })
})
