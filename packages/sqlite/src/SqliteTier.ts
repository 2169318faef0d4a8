/**
 * An embedded cache tier on `node:sqlite`: a file on this machine, for larders that stay warm
 * across a restart, or hold more than memory should.
 *
 * As the farthest tier it arbitrates: versions, leases and marks are in the file, so that all
 * processes of the machine that share it see one order. In front of a shared tier it caches that
 * tier's entries, and after a restart waits for the shared tier to confirm them.
 *
 * @module
 * @category tiers
 * @since 0.1.0
 */
import { Tier, TierLog } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { DatabaseFile } from "./internal/databaseFile.ts"
import { type Options, type Settings, settings } from "./internal/options.ts"
import { listen, type Shared, SqliteStore } from "./internal/store.ts"
import { Warnings } from "./internal/warnings.ts"

export type { Options, Synchronous } from "./internal/options.ts"

const make = (checked: Settings) =>
  Effect.gen(function* () {
    const clock = yield* Tier.steadyClock
    const log = yield* TierLog.make({
      subject: checked.name,
      annotations: { tier: checked.name },
    })
    const notices: Shared["notices"] = new Map()
    const warn = (message: string): void => {
      log.write({ level: "Warn", message })
      for (const notify of notices.values()) {
        for (const tell of notify) tell({ _tag: "Warning", message })
      }
    }
    const shared: Shared = {
      file: yield* Effect.acquireRelease(
        Effect.sync(
          () => new DatabaseFile(checked.filename, checked.synchronous, new Warnings(warn)),
        ),
        (file) => Effect.sync(() => file.close()),
      ),
      settings: checked,
      now: () => Math.max(0, Math.floor(clock.currentTimeMillisUnsafe())),
      notices,
      seen: new Map(),
    }
    const tier: Tier.ByteTier = {
      kind: "bytes",
      name: checked.name,
      scope: "machine",
      abilities: { notifies: false },
      wire: checked.wire,
      limits: checked.limits,
      open: ({ larder, notify }) =>
        Effect.as(
          notify === undefined
            ? Effect.void
            : Effect.acquireRelease(
                Effect.sync(() => listen(shared, larder, notify)),
                (stop) => Effect.sync(stop),
              ),
          storeOf(new SqliteStore(shared, larder)),
        ),
    }
    return tier
  })

const storeOf = (store: SqliteStore): Tier.ByteStore => {
  const { acquire, commit, drop, keys, mark, marks, put, read, release, renew, write } = store
  return {
    read,
    put,
    drop,
    keys,
    arbiter: { acquire, renew, release, commit, write, mark, marks },
  }
}

/**
 * A tier in a file of its own.
 *
 * **When to use**
 *
 * As the farthest tier of one machine: `TierStack.layer(MemoryTier.layer(), SqliteTier.layer({
 * filename }))`; or between memory and a shared tier, for data too large for memory.
 *
 * **Details**
 *
 * Its time is the `Clock` of the build, and does not stop when that clock is set back. Each
 * operation is one synchronous transaction of some microseconds. It waits for other processes
 * without blocking, at most `busyTimeout`. The tier has no timers: each write removes a few expired
 * rows and a few rows beyond the bounds. Eviction takes the oldest written first; entries read
 * since then get a second turn.
 *
 * The Layer dies with `InvalidOptions` when an option is invalid. When the file cannot be used,
 * each operation fails instead, with one warning that names the path and the remedy; the tier tries
 * the file again every second. The folder must exist. The tier never moves, changes or empties a
 * file that is no cache of this package (a text, a foreign database, a file of a newer release).
 *
 * The tier renames a damaged cache file to `<filename>.corrupt-<n>`, warns, and begins a new one.
 * It notices within a second of use when an open file is removed, replaced, truncated or
 * overwritten. The entries of that file are lost; values that were invalidated in it do not come
 * back.
 *
 * On a full disk the tier evicts, the oldest written first, with one warning. Invalidations always
 * fit: `<filename>-reserve` keeps 1 MiB free for them on disks that have it. When even that is not
 * enough, the tier begins the file anew, without its entries. A value that is too large for the
 * disk leaves a tombstone and fails.
 *
 * **Gotchas**
 *
 * Processes that share a file get no messages about each other's changes. A value that another
 * process set or removed reaches the memory of this one when its entry is no longer fresh; tag
 * invalidations arrive within `markMaxAge` (5 seconds) of reading. Do not put the file on a network file system.
 *
 * **Example**
 *
 * ```ts
 * import { strict as assert } from "node:assert"
 * import { mkdtempSync, rmSync } from "node:fs"
 * import { tmpdir } from "node:os"
 * import { join } from "node:path"
 * import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { SqliteTier } from "@larder/sqlite"
 * import { Effect, Schema } from "effect"
 *
 * const folder = mkdtempSync(join(tmpdir(), "larder-"))
 * let asked = 0
 * const run = Effect.scoped(
 *   Effect.gen(function* () {
 *     const lengths = yield* Larder.make({
 *       name: "lengths",
 *       value: Schema.Finite,
 *       upstream: Upstream.make({
 *         lookup: (word: string) => Effect.sync(() => (asked++, word.length)),
 *       }),
 *       policy: Policy.make({ freshFor: "1 hour" }),
 *     })
 *     return yield* lengths.get("larder")
 *   }),
 * ).pipe(
 *   Effect.provide(
 *     TierStack.layer(
 *       MemoryTier.layer(),
 *       SqliteTier.layer({ filename: join(folder, "larder.db") }),
 *     ),
 *   ),
 * )
 *
 * assert.equal(await Effect.runPromise(run), 6)
 * // As after a restart: memory is empty, the file is not.
 * assert.equal(await Effect.runPromise(run), 6)
 * assert.equal(asked, 1)
 * rmSync(folder, { recursive: true })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<Tier.Tier> =>
  Layer.effect(
    Tier.Tier,
    Effect.suspend(() => Effect.fromResult(settings(options))).pipe(
      Effect.orDie,
      Effect.flatMap(make),
    ),
  )
