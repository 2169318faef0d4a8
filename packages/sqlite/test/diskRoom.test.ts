/** How large a cache may grow: the log must fit beside it, whatever the disk. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { fitsLog, limitsOf, pageBytes, unlimited } from "../src/internal/diskRoom.ts"

const megabytes = (most: number) => fc.nat(most * 1024 * 1024)

describe("limitsOf", () => {
  it("leaves the log what it has, what the change needs, and a share of the disk", () => {
    fc.assert(
      fc.property(
        megabytes(60),
        megabytes(60),
        megabytes(8),
        megabytes(4),
        (free, file, log, bytes) => {
          const { logPages, pages } = limitsOf({ free, file, log }, bytes)
          const total = free + file + log
          const left = total - pages * pageBytes
          assert.isAtLeast(logPages, 8)
          assert.isAtMost(logPages, 128)
          // A file is never limited to less than a page.
          if (pages === 1) return
          assert.isAtLeast(left, log)
          assert.isAtLeast(left, bytes)
          assert.isAtLeast(left, Math.min(2 * 1024 * 1024, total / 4))
        },
      ),
    )
  })

  it("limits nothing where there is plenty", () => {
    assert.deepStrictEqual(limitsOf({ free: 1e9, file: 0, log: 0 }, 0), unlimited)
    assert.notDeepEqual(limitsOf({ free: 1e9, file: 0, log: 0 }, 6e8), unlimited)
  })

  it("a small change is always tried; a large one where the log can take it", () => {
    assert.isTrue(fitsLog({ free: 0, file: 1e6, log: 0 }, 1000))
    assert.isFalse(fitsLog({ free: 1e6, file: 1e9, log: 1e6 }, 2e6))
    assert.isTrue(fitsLog({ free: 2e6, file: 0, log: 1e6 }, 2e6))
  })
})
