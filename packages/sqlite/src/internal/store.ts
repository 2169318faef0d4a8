/** The store of one larder: the operations of a tier as effects over the file. */
import { Arbitration, Envelope, Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import type { Connection } from "./connection.ts"
import type { DatabaseFile, Need } from "./databaseFile.ts"
import { isLarge } from "./diskRoom.ts"
import { failureOf, NoRoom } from "./failure.ts"
import { MarkTable } from "./markTable.ts"
import type { Settings } from "./options.ts"
import { Seen } from "./seen.ts"
import { type Changed, type Evicted, Shelf } from "./shelf.ts"
import { busyPauseMillis, firstEvictedBytes, keysPerPage } from "./limits.ts"

export interface Shared {
  readonly file: DatabaseFile
  readonly settings: Settings
  /** The time in whole milliseconds, never negative. */
  readonly now: () => number
  readonly notices: Map<string, Set<(notice: Tier.Notice) => void>>
  /** The numbers seen, by larder; kept when a larder closes. */
  readonly seen: Map<string, Seen>
}

/** What begins the place in a walk through keys. */
const ofEntries = "e"
const ofLeases = "l"

const addTo = <A>(sets: Map<string, Set<A>>, name: string, member: A): (() => void) => {
  const members = sets.get(name) ?? new Set()
  sets.set(name, members.add(member))
  return () => void members.delete(member)
}

/** Listens until the scope that opened the larder closes. */
export const listen = (
  { notices }: Shared,
  larder: string,
  notify: (notice: Tier.Notice) => void,
): (() => void) => addTo(notices, larder, notify)

export class SqliteStore {
  readonly #shared: Shared
  readonly #larder: string
  readonly #seen: Seen

  constructor(shared: Shared, larder: string) {
    this.#shared = shared
    this.#larder = larder
    this.#seen = shared.seen.get(larder) ?? new Seen()
    shared.seen.set(larder, this.#seen)
  }

  readonly read: Tier.ByteStore["read"] = (keys) =>
    this.#step("read", "read", (connection, now) => {
      const id = this.#known(connection, now)
      if (id === undefined || keys.length === 0) return keys.map(() => undefined)
      const [only] = keys
      if (keys.length === 1 && only !== undefined) {
        return [envelopeOf(connection, connection.get("read", id, only, now))]
      }
      const rows = connection.all("readMany", id, now, JSON.stringify(keys))
      const found = new Map(rows.map((row) => [row["key"], envelopeOf(connection, row)]))
      const given = new Set<string>()
      return keys.map((key) => {
        const envelope = found.get(key)
        // A key that is asked for twice gets two buffers, since each answer must have its own.
        if (envelope === undefined || !given.has(key)) {
          given.add(key)
          return envelope
        }
        return new Uint8Array(envelope)
      })
    })

  readonly put: Tier.ByteStore["put"] = (key, envelope, lifeMillis) => {
    const version = Arbitration.brought(Envelope.version(envelope))
    return Effect.tap(
      this.#keeping(
        "put",
        key,
        envelope,
        (shelf) => shelf.put(key, envelope, lifeMillis),
        () => version,
      ),
      (done) =>
        Effect.sync(() => {
          if (done) this.#seen.number(version)
        }),
    )
  }

  readonly drop: Tier.ByteStore["drop"] = (key, version) =>
    this.#change("drop", "invalidation", (shelf) => shelf.drop(key, version))

  /**
   * First the keys of leases, then those of entries. Race: a lookup stores its value, which ends its lease,
   * while the walk goes on: its key is among the entries then.
   */
  readonly keys: NonNullable<Tier.ByteStore["keys"]> = (prefix, after) =>
    this.#step("keys", "read", (connection, now) => {
      const id = this.#known(connection, now)
      if (id === undefined) return { keys: [], next: undefined }
      const table = after?.startsWith(ofEntries) === true ? "keys" : "leases"
      const last = after?.slice(1) ?? ""
      const rows =
        last === ""
          ? connection.all(`${table}From`, id, prefix, keysPerPage)
          : connection.all(`${table}After`, id, last, keysPerPage)
      const keys: Array<string> = []
      let isOver = rows.length < keysPerPage
      for (const row of rows) {
        const key = String(row["key"])
        // The rows are in the order of their bytes, so keys with one prefix are side by side.
        if (!key.startsWith(prefix)) {
          isOver = true
          break
        }
        if (row["is_value"] === 1) keys.push(key)
      }
      if (!isOver) {
        const mark = table === "leases" ? ofLeases : ofEntries
        return { keys, next: `${mark}${String(rows.at(-1)?.["key"])}` }
      }
      return { keys, next: table === "keys" ? undefined : ofEntries }
    })

  readonly acquire: Tier.Arbiter["acquire"] = (key, request) =>
    Effect.tap(
      this.#change("acquire", "change", (shelf) => shelf.acquire(key, request)),
      (acquired) => Effect.sync(() => acquired._tag === "Won" && this.#seen.number(acquired.token)),
    )

  readonly renew: Tier.Arbiter["renew"] = (key, token, leaseMillis) =>
    this.#change("renew", "change", (shelf) => shelf.renew(key, token, leaseMillis))

  readonly release: Tier.Arbiter["release"] = (key, token, failedMillis) =>
    this.#change("release", "change", (shelf) => shelf.release(key, token, failedMillis))

  readonly commit: Tier.Arbiter["commit"] = (key, token, envelope, lifeMillis) =>
    Effect.tap(
      this.#keeping(
        "commit",
        key,
        envelope,
        (shelf) => ({
          decision: shelf.commit(key, token, envelope, lifeMillis),
          lastMark: shelf.lastMark,
        }),
        () => token,
      ),
      ({ decision }) =>
        Effect.sync(() => {
          if (decision === "Stored") this.#seen.number(token)
        }),
    )

  readonly write: Tier.Arbiter["write"] = (key, write, known) => {
    const done: Effect.Effect<Changed & Pick<Tier.Written, "lastMark">, Tier.TierError> =
      write._tag === "Set"
        ? this.#keeping(
            "write",
            key,
            write.envelope,
            (shelf) => ({ ...shelf.write(key, write, known), lastMark: shelf.lastMark }),
            (shelf) => shelf.versionBeyond(key, known, write.at),
          )
        : this.#change("write", "invalidation", (shelf) => ({
            ...shelf.write(key, write, known),
            lastMark: undefined,
          }))
    return Effect.map(done, ({ isChanged, lastMark, version }) => {
      if (isChanged) this.#seen.number(version)
      return { version, time: this.#shared.now(), lastMark }
    })
  }

  readonly mark: Tier.Arbiter["mark"] = (tags, keepStale, known) =>
    Effect.map(
      this.#step("mark", "invalidation", (connection, now) =>
        this.#fitted(connection, now, 0, () =>
          connection.atomically(() => {
            const table = new MarkTable(connection, this.#id(connection, now), now)
            const added = table.add(tags, keepStale, known)
            return { added, page: table.after(known) }
          }),
        ),
      ),
      ({ added: { number }, page }) => {
        this.#seen.page(page)
        return { ...page, number }
      },
    )

  readonly marks: Tier.Arbiter["marks"] = (since) =>
    this.#step("marks", "change", (connection, now) => {
      const id =
        this.#known(connection, now) ??
        this.#fitted(connection, now, 0, () =>
          connection.atomically(() => this.#id(connection, now)),
        )
      const page = new MarkTable(connection, id, now).after(since)
      this.#seen.page(page)
      return { ...page, time: now }
    })

  #known(connection: Connection, now: number): number | undefined {
    const known = connection.larders.get(this.#larder)
    if (known !== undefined) return known
    const row = connection.get("larder", this.#larder)
    if (row === undefined) return undefined
    const id = Number(row["id"])
    if (this.#seen.isBehind(Number(row["floor"]), this.#shared.file.losses)) {
      const first = Arbitration.nextNumber(now, this.#seen.highest)
      // Do not cache the number yet: the transaction may be rolled back.
      connection.run("raise", this.#seen.highest, first, first, first, id)
    } else {
      connection.larders.set(this.#larder, id)
    }
    return id
  }

  /**
   * The larder's number in the file. A new larder knows no earlier marks, so its floor is its
   * beginning.
   */
  #id(connection: Connection, now: number): number {
    const known = this.#known(connection, now)
    if (known !== undefined) return known
    const { drops, highest } = this.#seen
    const first = Arbitration.nextNumber(now, highest)
    connection.run("addLarder", this.#larder, highest, first, first, drops ? first : 0)
    // Cache the number only after the commit: the transaction may be rolled back.
    return Number(connection.get("larder", this.#larder)?.["id"])
  }

  /** Refuses bytes without a version before they replace anything: they cannot be ordered. */
  #keeping<A>(
    operation: string,
    key: string,
    envelope: Uint8Array,
    keep: (shelf: Shelf) => A,
    versionOf: (shelf: Shelf) => number,
  ): Effect.Effect<A, Tier.TierError> {
    return Effect.suspend(() => {
      if (Envelope.version(envelope) === undefined) {
        const cause = new Error("the bytes are not an envelope of format 1 with a version")
        return Effect.fail(this.#failure(operation, cause))
      }
      return this.#step(operation, "change", (connection, now) => {
        try {
          return this.#fitted(connection, now, envelope.length, () =>
            this.#swept(connection, now, keep),
          )
        } catch (cause) {
          if (!(cause instanceof NoRoom)) throw cause
          this.#buryUnfit(connection, now, key, versionOf)
          this.#evicted(connection, [
            { larder: this.#id(connection, now), key, cause: "refused", bytes: envelope.length },
          ])
          throw cause
        }
      })
    })
  }

  /** A value without room leaves a tombstone, so that no older value stays. */
  #buryUnfit(
    connection: Connection,
    now: number,
    key: string,
    versionOf: (shelf: Shelf) => number,
  ): void {
    this.#fitted(connection, now, 0, () =>
      connection.atomically(() => {
        const shelf = this.#shelf(connection, now)
        const version = versionOf(shelf)
        if (version > shelf.stored(key).version) shelf.bury(key, version)
      }),
    )
  }

  /** Runs a change of about this many bytes, and evicts entries for it on a full disk. */
  #fitted<A>(connection: Connection, now: number, bytes: number, change: () => A): A {
    if (!connection.prepare(bytes)) throw new NoRoom({ bytes })
    try {
      return change()
    } catch (cause) {
      if (failureOf(cause) !== "full") throw cause
      this.#shared.file.warnFull(now)
      connection.lookAgain()
      if (!connection.prepare(bytes)) throw new NoRoom({ bytes })
      return this.#fittedAfterEvicting(
        connection,
        now,
        bytes,
        firstEvictedBytes + 2 * bytes,
        change,
      )
    }
  }

  #fittedAfterEvicting<A>(
    connection: Connection,
    now: number,
    bytes: number,
    evictedBytes: number,
    change: () => A,
  ): A {
    connection.checkpoint()
    const freed = this.#makeRoom(connection, now, evictedBytes)
    try {
      return change()
    } catch (cause) {
      if (failureOf(cause) !== "full") throw cause
      if (freed > 0) {
        return this.#fittedAfterEvicting(connection, now, bytes, 2 * evictedBytes, change)
      }
      throw isLarge(bytes) ? new NoRoom({ bytes }) : cause
    }
  }

  /**
   * Evicts a few entries at a time, each over the log's beginning: the disk has no room for more at
   * once.
   */
  #makeRoom(connection: Connection, now: number, bytes: number): number {
    let freed = 0
    let step = 0
    do {
      const made = connection.atomically(() => this.#shelf(connection, now).makeRoom())
      this.#evicted(connection, made.evicted)
      connection.checkpoint()
      step = made.bytes
      freed += step
    } while (step > 0 && freed < bytes)
    return freed
  }

  /** Runs a change, and the sweep that each write does. */
  #swept<A>(connection: Connection, now: number, change: (shelf: Shelf) => A): A {
    const { result, evicted } = connection.atomically(() => {
      const shelf = this.#shelf(connection, now)
      const result = change(shelf)
      return { result, evicted: shelf.sweep() }
    })
    this.#evicted(connection, evicted)
    return result
  }

  #change<A>(
    operation: string,
    need: Need,
    change: (shelf: Shelf) => A,
  ): Effect.Effect<A, Tier.TierError> {
    return this.#step(operation, need, (connection, now) =>
      this.#fitted(connection, now, 0, () => this.#swept(connection, now, change)),
    )
  }

  #shelf(connection: Connection, now: number): Shelf {
    return new Shelf(connection, this.#id(connection, now), now, this.#shared.settings)
  }

  #evicted(connection: Connection, evicted: ReadonlyArray<Evicted>): void {
    for (const { bytes, cause, key, larder } of evicted) {
      for (const [name, notify] of this.#shared.notices) {
        if (connection.larders.get(name) !== larder) continue
        for (const tell of notify) tell({ _tag: "Evicted", key, cause, bytes })
      }
    }
  }

  /** Waits for other processes without blocking this one. */
  #step<A>(
    operation: string,
    need: Need,
    body: (connection: Connection, now: number) => A,
  ): Effect.Effect<A, Tier.TierError> {
    const { file, now, settings } = this.#shared
    const attempt = (left: number): Effect.Effect<A, Tier.TierError> =>
      Effect.suspend(() => {
        try {
          const at = now()
          return Effect.succeed(file.use(at, need, (connection) => body(connection, at)))
        } catch (cause) {
          return failureOf(cause) === "busy" && left > 0
            ? Effect.andThen(Effect.sleep(busyPauseMillis), attempt(left - busyPauseMillis))
            : Effect.fail(this.#failure(operation, cause))
        }
      })
    return attempt(settings.busyMillis)
  }

  #failure(operation: string, cause: unknown): Tier.TierError {
    return new Tier.TierError({ tier: this.#shared.settings.name, operation, cause })
  }
}

const envelopeOf = (
  connection: Connection,
  row: ReturnType<Connection["get"]>,
): Uint8Array | undefined => {
  if (row === undefined) return undefined
  connection.touched.add(Number(row["id"]))
  const envelope = row["envelope"]
  return envelope instanceof Uint8Array ? envelope : undefined
}
