/**
 * An embedded tier on `node:sqlite`: a file on this machine, for larders that
 * are to be warm after a restart, or hold more than memory should.
 *
 * As the farthest tier it arbitrates: versions, leases and marks are in the
 * file, so that all processes of the machine that share it have one order. In
 * front of a shared tier it keeps what that tier has, and after a restart waits
 * for it to confirm what the file says.
 */
import { Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { DatabaseFile } from "./internal/databaseFile.ts"
import { InvalidSqliteTier, type Options, type Settings, settings } from "./internal/options.ts"
import { listen, type Shared, SqliteStore } from "./internal/store.ts"
import { Warnings } from "./internal/warnings.ts"

export { InvalidSqliteTier, type Options, type Synchronous } from "./internal/options.ts"

const make = (checked: Settings) =>
  Effect.gen(function* () {
    const clock = yield* Tier.steadyClock
    const context = yield* Effect.context<never>()
    const notices: Shared["notices"] = new Map()
    const warn = (message: string): void => {
      Effect.runForkWith(context)(Effect.logWarning(`${checked.name}: ${message}`))
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
      subscribers: new Map(),
    }
    const tier: Tier.ByteTier = {
      kind: "bytes",
      name: checked.name,
      scope: "machine",
      abilities: { versions: true, lease: true, marks: true, clock: true, notifies: false },
      wire: checked.wire,
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
  const { acquire, commit, drop, mark, marks, messages, put, read, release, renew, write } = store
  return {
    read,
    put,
    drop,
    arbiter: { acquire, renew, release, commit, write, mark, marks, messages },
  }
}

/**
 * A tier in a file of its own.
 *
 * **When to use**
 *
 * As the farthest tier of one machine: `TierStack.layer(MemoryTier.layer(), SqliteTier.layer({ filename }))`;
 * or between memory and a shared tier, for what is too much for memory.
 *
 * **Details**
 *
 * Its time is the `Clock` of the build, and goes on where that is set back. Each operation is one transaction; it is
 * synchronous and takes some microseconds, and waits for other processes without
 * blocking, for `busyTimeout` at most. It has no timers: what has expired, and
 * what is beyond the bounds, goes a few rows at a time with each write; the
 * oldest written first, those read since later.
 *
 * The Layer fails for options that cannot be meant, with `InvalidSqliteTier`. A
 * file that cannot be used fails each operation instead, with one warning that
 * names the path and the remedy, and is tried again every second. The folder has
 * to exist. A file that is no cache of this package (a text, a database of
 * something else, one of a newer release) is never moved, changed or emptied.
 *
 * A cache file that is damaged is set aside as `<filename>.corrupt-<n>`, with a
 * warning, and a new one begun. A file that is removed, replaced, truncated or
 * overwritten while it is open is noticed within a second of use; its entries are
 * lost, and what was invalidated in it does not come back.
 *
 * A full disk makes room by evicting, the oldest written first, with one warning.
 * Invalidations always fit: `<filename>-reserve` keeps 1 MiB free for them on
 * disks that have it, and where even that is not enough the file is begun anew,
 * without its entries. A value that is too large for the disk leaves a tombstone
 * and fails.
 *
 * **Gotchas**
 *
 * Processes that share a file are not told of each other's changes: what another
 * one has set or removed reaches the memory of this one when its entry is no
 * longer fresh, and tag invalidations within 5 seconds of reading. A network
 * file system is no place for it.
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
 */
export const layer = (options: Options): Layer.Layer<Tier.Tier, InvalidSqliteTier> =>
  Layer.effect(
    Tier.Tier,
    Effect.flatMap(
      Effect.try({
        try: () => settings(options),
        catch: (cause) =>
          cause instanceof InvalidSqliteTier
            ? cause
            : new InvalidSqliteTier({ field: "options", reason: String(cause) }),
      }),
      make,
    ),
  )
