/** The store of one larder: the operations of a tier as effects over the file. */
import { Arbitration, Envelope, Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { Connection } from "./connection.ts"
import type { DatabaseFile } from "./databaseFile.ts"
import { failureOf } from "./failure.ts"
import { MarkTable } from "./markTable.ts"
import type { Settings } from "./options.ts"
import { type Evicted, Shelf } from "./shelf.ts"

/** Between two looks whether other processes have finished writing. */
const pauseMillis = 2
/** Evicted at once where the disk is full, before a value is refused. */
const evictedWhenFull = 64

export interface Shared {
  readonly file: DatabaseFile
  readonly settings: Settings
  /** Milliseconds, whole, not negative. */
  readonly now: () => number
  readonly notices: Map<string, Set<(notice: Tier.Notice) => void>>
  readonly subscribers: Map<string, Set<Queue.Queue<Tier.Message>>>
}

const addTo = <A>(sets: Map<string, Set<A>>, name: string, member: A): (() => void) => {
  const members = sets.get(name) ?? new Set()
  sets.set(name, members.add(member))
  return () => void members.delete(member)
}

/** Until the scope that opened the larder closes. */
export const listen = (
  { notices }: Shared,
  larder: string,
  notify: (notice: Tier.Notice) => void,
): (() => void) => addTo(notices, larder, notify)

export class SqliteStore {
  readonly #shared: Shared
  readonly #larder: string

  constructor(shared: Shared, larder: string) {
    this.#shared = shared
    this.#larder = larder
  }

  readonly read: Tier.ByteStore["read"] = (keys) =>
    this.#step("read", (connection, now) => {
      const id = this.#known(connection)
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
        // Asked for twice, each answer is a buffer of its own.
        if (envelope === undefined || !given.has(key)) {
          given.add(key)
          return envelope
        }
        return new Uint8Array(envelope)
      })
    })

  readonly put: Tier.ByteStore["put"] = (key, envelope, lifeMillis) => {
    const version = Arbitration.usable(Envelope.version(envelope))
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
          if (done) this.#publish({ _tag: "Changed", key, version })
        }),
    )
  }

  readonly drop: Tier.ByteStore["drop"] = (key, version) =>
    this.#change("drop", (shelf) => shelf.drop(key, version))

  readonly acquire: Tier.Arbiter["acquire"] = (key, request) =>
    this.#change("acquire", (shelf) => shelf.acquire(key, request))

  readonly renew: Tier.Arbiter["renew"] = (key, token, leaseMillis) =>
    this.#change("renew", (shelf) => shelf.renew(key, token, leaseMillis))

  readonly release: Tier.Arbiter["release"] = (key, token, failedMillis) =>
    this.#change("release", (shelf) => shelf.release(key, token, failedMillis))

  readonly commit: Tier.Arbiter["commit"] = (key, token, envelope, lifeMillis) =>
    Effect.tap(
      this.#keeping(
        "commit",
        key,
        envelope,
        (shelf) => shelf.commit(key, token, envelope, lifeMillis),
        () => token,
      ),
      (done) =>
        Effect.sync(() => {
          if (done === "Stored") this.#publish({ _tag: "Changed", key, version: token })
        }),
    )

  readonly write: Tier.Arbiter["write"] = (key, write, known) => {
    const done =
      write._tag === "Set"
        ? this.#keeping(
            "write",
            key,
            write.envelope,
            (shelf) => shelf.write(key, write, known),
            (shelf) => shelf.versionBeyond(key, known),
          )
        : this.#change("write", (shelf) => shelf.write(key, write, known))
    return Effect.map(done, (version) => {
      this.#publish({ _tag: "Changed", key, version })
      return { version, time: this.#shared.now() }
    })
  }

  readonly mark: Tier.Arbiter["mark"] = (tags, keepStale, known) =>
    Effect.map(
      this.#step("mark", (connection, now) =>
        connection.atomically(() => {
          const table = new MarkTable(connection, this.#id(connection, now), now)
          const added = table.add(tags, keepStale, known)
          return { added, page: table.after(known) }
        }),
      ),
      ({ added: { number, page: own, previous }, page }) => {
        this.#publish({ _tag: "Marked", previous, page: own })
        return { ...page, number }
      },
    )

  readonly marks: Tier.Arbiter["marks"] = (since) =>
    this.#step("marks", (connection, now) => {
      const id = this.#known(connection) ?? connection.atomically(() => this.#id(connection, now))
      return { ...new MarkTable(connection, id, now).after(since), time: now }
    })

  /** Of this process. */
  readonly messages: Tier.Arbiter["messages"] = Effect.map(
    Effect.acquireRelease(
      Effect.map(Queue.unbounded<Tier.Message>(), (queue) => ({
        queue,
        stop: addTo(this.#shared.subscribers, this.#larder, queue),
      })),
      ({ queue, stop }) => Effect.andThen(Effect.sync(stop), Queue.shutdown(queue)),
    ),
    ({ queue }) => queue,
  )

  #publish(message: Tier.Message): void {
    for (const queue of this.#shared.subscribers.get(this.#larder) ?? []) {
      Queue.offerUnsafe(queue, message)
    }
  }

  #known(connection: Connection): number | undefined {
    const known = connection.larders.get(this.#larder)
    if (known !== undefined) return known
    const row = connection.get("larder", this.#larder)
    if (row === undefined) return undefined
    const id = Number(row["id"])
    connection.larders.set(this.#larder, id)
    return id
  }

  /**
   * The larder's number in the file. A larder that begins knows nothing of marks
   * before it, so its floor is its beginning.
   */
  #id(connection: Connection, now: number): number {
    const known = this.#known(connection)
    if (known !== undefined) return known
    const first = Arbitration.nextNumber(now)
    connection.run("addLarder", this.#larder, first, first)
    // Not remembered before it is committed: the transaction may be rolled back.
    return Number(connection.get("larder", this.#larder)?.["id"])
  }

  /** Bytes without a version cannot be ordered: they are refused before they replace anything. */
  #keeping<A>(
    operation: string,
    key: string,
    envelope: Uint8Array,
    keep: (shelf: Shelf) => A,
    versionOf: (shelf: Shelf) => number,
  ): Effect.Effect<A, Tier.TierError> {
    return Effect.suspend(() => {
      if (Envelope.version(envelope) === undefined) {
        const cause = new Error("the bytes are no envelope of format 1 with a version")
        return Effect.fail(this.#failure(operation, cause))
      }
      return this.#step(operation, (connection, now) => {
        try {
          return this.#swept(connection, now, keep)
        } catch (cause) {
          if (failureOf(cause) !== "full") throw cause
          return this.#keepWhenFull(connection, now, key, keep, versionOf, cause)
        }
      })
    })
  }

  /** Makes room and tries again; what does not fit then leaves a tombstone, so that nothing older stays. */
  #keepWhenFull<A>(
    connection: Connection,
    now: number,
    key: string,
    keep: (shelf: Shelf) => A,
    versionOf: (shelf: Shelf) => number,
    refusal: unknown,
  ): A {
    try {
      connection.checkpoint()
      this.#evicted(
        connection,
        connection.atomically(() =>
          this.#shelf(connection, now).evict({ maxEntries: 0, maxBytes: 0 }, evictedWhenFull),
        ),
      )
      connection.checkpoint()
      return this.#swept(connection, now, keep)
    } catch (cause) {
      if (failureOf(cause) !== "full") throw cause
      connection.checkpoint()
      connection.atomically(() => {
        const shelf = this.#shelf(connection, now)
        const version = versionOf(shelf)
        if (version > shelf.stored(key).version) shelf.bury(key, version)
      })
      throw refusal
    }
  }

  /** A change, and a little of the tidying that falls to each. */
  #swept<A>(connection: Connection, now: number, change: (shelf: Shelf) => A): A {
    const { result, evicted } = connection.atomically(() => {
      const shelf = this.#shelf(connection, now)
      const result = change(shelf)
      return { result, evicted: shelf.sweep() }
    })
    this.#evicted(connection, evicted)
    return result
  }

  #change<A>(operation: string, change: (shelf: Shelf) => A): Effect.Effect<A, Tier.TierError> {
    return this.#step(operation, (connection, now) => this.#swept(connection, now, change))
  }

  #shelf(connection: Connection, now: number): Shelf {
    return new Shelf(connection, this.#id(connection, now), now, this.#shared.settings)
  }

  #evicted(connection: Connection, evicted: ReadonlyArray<Evicted>): void {
    for (const { cause, key, larder } of evicted) {
      for (const [name, notify] of this.#shared.notices) {
        if (connection.larders.get(name) !== larder) continue
        for (const tell of notify) tell({ _tag: "Evicted", key, cause })
      }
    }
  }

  /** Waits for other processes without blocking this one. */
  #step<A>(
    operation: string,
    body: (connection: Connection, now: number) => A,
  ): Effect.Effect<A, Tier.TierError> {
    const { file, now, settings } = this.#shared
    const attempt = (left: number): Effect.Effect<A, Tier.TierError> =>
      Effect.suspend(() => {
        try {
          const at = now()
          return Effect.succeed(file.use(at, (connection) => body(connection, at)))
        } catch (cause) {
          return failureOf(cause) === "busy" && left > 0
            ? Effect.andThen(Effect.sleep(pauseMillis), attempt(left - pauseMillis))
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
