/**
 * The entries and leases of one larder in a connection. Everything here runs within one
 * transaction, which makes each operation of the tier atomic among all processes. `Arbitration`
 * makes the decisions.
 */
import { Arbitration, Entry, Envelope, type Tier } from "@larder/core"
import type { Connection, Row } from "./connection.ts"
import { MarkTable } from "./markTable.ts"
import {
  consideredAtOnce,
  evictedAtOnce,
  evictedPerWrite,
  rowBytes,
  sweptPerWrite,
} from "./limits.ts"

const nothing: Arbitration.Stored = { version: 0, isValue: false }

const numberOf = (row: Row, column: string): number => Number(row[column])

/** An entry evicted for another one. */
export interface Evicted {
  readonly larder: number
  readonly key: string
  readonly cause: Tier.EvictionCause
  /** The size of a value that was refused. */
  readonly bytes?: number | undefined
}

/** The version stored after a change, and whether the change made it. */
export interface Changed {
  readonly version: number
  readonly isChanged: boolean
}

export interface Bounds {
  readonly maxEntries: number
  readonly maxBytes: number
}

interface Limits extends Bounds {
  readonly limits: Pick<Tier.Limits, "settleTime">
}

/** The entries at one moment: `now` in whole milliseconds. */
export class Shelf {
  readonly #connection: Connection
  readonly #larder: number
  readonly #now: number
  readonly #bounds: Bounds
  readonly #settleMillis: number
  readonly #refused: Array<Evicted> = []

  constructor(connection: Connection, larder: number, now: number, bounds: Limits) {
    this.#connection = connection
    this.#larder = larder
    this.#now = now
    this.#bounds = bounds
    this.#settleMillis = bounds.limits.settleTime
  }

  stored(key: string): Arbitration.Stored {
    const row = this.#connection.get("stored", this.#larder, key, this.#now)
    return row === undefined
      ? nothing
      : { version: Arbitration.usable(numberOf(row, "version")), isValue: row["is_value"] === 1 }
  }

  /** With the times of a value. */
  #storedEntry(key: string): Arbitration.StoredEntry {
    const row = this.#connection.get("present", this.#larder, key, this.#now)
    if (row === undefined) return nothing
    const bytes = envelopeOf(row)
    const times = { freshUntil: Envelope.freshUntil(bytes), storedAt: Envelope.storedAt(bytes) }
    return { ...this.stored(key), ...times }
  }

  lease(key: string): Arbitration.LeaseRecord | undefined {
    const row = this.#connection.get("lease", this.#larder, key)
    if (row === undefined || numberOf(row, "expires") <= this.#now) return undefined
    return {
      token: Arbitration.usable(numberOf(row, "token")),
      until: row["until"] === null ? undefined : numberOf(row, "until"),
      failedUntil: numberOf(row, "failed_until"),
      expiresAt: numberOf(row, "expires"),
    }
  }

  /** The number of the newest mark. */
  get lastMark(): number {
    return new MarkTable(this.#connection, this.#larder, this.#now).last
  }

  put(key: string, envelope: Uint8Array, lifeMillis: number): boolean {
    const version = Arbitration.brought(Envelope.version(envelope))
    if (!Arbitration.mayPut(this.stored(key), this.lease(key), version)) return false
    this.#store(key, envelope, version, lifeMillis)
    return true
  }

  drop(key: string, version: number): void {
    const stored = this.stored(key)
    if (stored.version > version) return
    this.#connection.run("remove", this.#larder, key)
    this.#lose(this.#larder, stored.version)
  }

  acquire(key: string, request: Tier.LeaseRequest): Tier.Acquired {
    const lease = this.lease(key)
    const stored = this.stored(key)
    const decision = Arbitration.decideAcquire(stored, lease, request, this.#now)
    if (decision._tag === "Newer") {
      const row = this.#connection.get("present", this.#larder, key, this.#now)
      return { ...decision, envelope: envelopeOf(row) }
    }
    if (decision._tag !== "Win") return decision
    const token = this.#next(stored.version, lease?.token, Arbitration.brought(request.known))
    this.#lease(key, token, request.leaseMillis)
    return { _tag: "Won", token, storedVersion: stored.version }
  }

  renew(key: string, token: number, leaseMillis: number): boolean {
    if (!Arbitration.holds(this.stored(key), this.lease(key), token)) return false
    this.#lease(key, token, leaseMillis)
    return true
  }

  release(key: string, token: number, failedMillis: number): void {
    const lease = this.lease(key)
    if (lease === undefined || lease.token !== token || lease.until === undefined) return
    const failedUntil = failedMillis > 0 ? this.#after(failedMillis) : 0
    const expires = Math.max(lease.expiresAt, failedUntil)
    this.#connection.run("setLease", this.#larder, key, token, null, failedUntil, expires)
  }

  commit(
    key: string,
    token: number,
    envelope: Uint8Array,
    lifeMillis: number,
  ): Tier.Committed["decision"] {
    const decision = Arbitration.decideCommit(this.stored(key), this.lease(key), token)
    if (decision === "Stored") this.#store(key, envelope, token, lifeMillis)
    return decision
  }

  write(key: string, write: Tier.Write, known: number): Changed {
    if ("at" in write && write.at !== undefined) return this.#writeDelayed(key, write, write.at)
    const version = this.#next(
      this.stored(key).version,
      this.lease(key)?.token,
      Arbitration.brought(known),
    )
    if (write._tag === "Set") this.#store(key, write.envelope, version, write.lifeMillis)
    else if (write._tag === "Remove") this.bury(key, version)
    else this.#expire(key, version)
    return { version, isChanged: true }
  }

  #writeDelayed(key: string, write: Tier.Write, at: number): Changed {
    const stored = this.#storedEntry(key)
    const lease = this.lease(key)
    const decision = Arbitration.decideDelayed(stored, lease, at, this.#now, this.#settleMillis)
    if (decision._tag === "Overtaken") return { version: stored.version, isChanged: false }
    const { endsLease, isExpired, isTooLate, version } = decision
    if (write._tag === "Set" && !isTooLate) {
      const { envelope, lifeMillis } = write
      const bytes = isExpired ? Envelope.expireAt(envelope, this.#now) : envelope
      this.#store(key, bytes, version, lifeMillis)
    } else this.bury(key, version)
    if (lease !== undefined && !endsLease) {
      const { expiresAt, failedUntil, token, until } = lease
      this.#connection.run(
        "setLease",
        this.#larder,
        key,
        token,
        until ?? null,
        failedUntil,
        expiresAt,
      )
    }
    return { version, isChanged: true }
  }

  /** Stores a tombstone: no older value comes back. */
  bury(key: string, version: number): void {
    const envelope = Envelope.tombstone(version)
    this.#replace(key, version, false, this.#after(2 * this.#settleMillis), envelope)
  }

  /** The version that a value without room would have had. */
  versionBeyond(key: string, known: number, at: number | undefined): number {
    if (at !== undefined) return Arbitration.usable(at)
    return this.#next(this.stored(key).version, this.lease(key)?.token, Arbitration.brought(known))
  }

  /**
   * Removes a few expired rows and evicts beyond the bounds. Returns the refused values as well.
   */
  sweep(): ReadonlyArray<Evicted> {
    this.#sweepLeases()
    return [...this.#refused, ...this.#sweepExpired(), ...this.evict(this.#bounds, evictedPerWrite)]
  }

  /**
   * Evicts the oldest written, at most `most`; entries read since get one more turn, once, as in
   * the CLOCK algorithm.
   */
  evict(bounds: Bounds, most: number): ReadonlyArray<Evicted> {
    const evicted: Array<Evicted> = []
    const total = this.#connection.get("totals")
    let entries = total === undefined ? 0 : numberOf(total, "entries")
    let bytes = total === undefined ? 0 : numberOf(total, "bytes")
    const isFull = () => entries > bounds.maxEntries || bytes > bounds.maxBytes
    while (isFull() && evicted.length < most) {
      const rows = this.#connection.all("oldest", evictedAtOnce)
      if (rows.length === 0) break
      for (const row of rows) {
        if (!isFull() || evicted.length === most) break
        const id = numberOf(row, "id")
        if (this.#connection.touched.delete(id)) {
          this.#connection.run("renew", id)
          continue
        }
        evicted.push({
          larder: numberOf(row, "larder"),
          key: String(row["key"]),
          cause: entries > bounds.maxEntries ? "size" : "weight",
        })
        entries -= 1
        bytes -= numberOf(row, "bytes")
        this.#removeRow(row)
      }
    }
    return evicted
  }

  /**
   * Removes a few values for room on the disk: expired ones, else the oldest written that were not
   * read since. Unlike `evict` it writes to no row that stays, since the disk hardly has room for
   * that. Tombstones stay: they are small.
   */
  makeRoom(): { readonly evicted: ReadonlyArray<Evicted>; readonly bytes: number } {
    const expired = this.#sweepExpired()
    const { touched } = this.#connection
    const oldest = this.#connection.all("oldestValues", consideredAtOnce)
    const untouched = oldest.filter((row) => !touched.has(numberOf(row, "id")))
    const rows = (untouched.length > 0 ? untouched : oldest).slice(0, evictedAtOnce)
    for (const row of rows) this.#removeRow(row)
    const evicted = rows.map((row): Evicted => ({
      larder: numberOf(row, "larder"),
      key: String(row["key"]),
      cause: "weight",
    }))
    return {
      evicted: [...expired, ...evicted],
      bytes: rows.reduce((sum, row) => sum + numberOf(row, "bytes"), 0),
    }
  }

  #sweepExpired(): ReadonlyArray<Evicted> {
    const rows = this.#connection.all("expired", this.#now, sweptPerWrite)
    for (const row of rows) this.#removeRow(row)
    return rows
      .filter((row) => row["is_value"] === 1)
      .map((row) => ({
        larder: numberOf(row, "larder"),
        key: String(row["key"]),
        cause: "expired",
      }))
  }

  #sweepLeases(): void {
    for (const row of this.#connection.all("expiredLeases", this.#now, sweptPerWrite)) {
      const larder = numberOf(row, "larder")
      this.#connection.run("endLease", larder, String(row["key"]))
      this.#lose(larder, numberOf(row, "token"))
    }
  }

  #removeRow(row: Row): void {
    const id = numberOf(row, "id")
    this.#connection.run("removeId", id)
    this.#connection.touched.delete(id)
    this.#lose(numberOf(row, "larder"), numberOf(row, "version"))
  }

  /**
   * Later numbers must be higher than those of removed rows: otherwise a stopped clock issues one
   * twice.
   */
  #lose(larder: number, number: number): void {
    if (number > 0) this.#connection.run("lose", number, larder)
  }

  #next(...seen: ReadonlyArray<number | undefined>): number {
    const row = this.#connection.get("lost", this.#larder)
    const lost = row === undefined ? 0 : numberOf(row, "lost")
    return Arbitration.nextNumber(this.#now, lost, ...seen)
  }

  #lease(key: string, token: number, leaseMillis: number): void {
    const until = this.#after(leaseMillis)
    const expires = Math.max(until, this.#after(this.#settleMillis))
    this.#connection.run("setLease", this.#larder, key, token, until, 0, expires)
  }

  /**
   * A value without a lifetime, or without room, leaves a tombstone: the old value must not come
   * back.
   */
  #store(key: string, envelope: Uint8Array, version: number, lifeMillis: number): void {
    if (!(lifeMillis > 0)) return this.bury(key, version)
    if (bytesOf(key, envelope) > Math.min(this.#bounds.maxBytes, rowBytes)) {
      const bytes = envelope.length
      this.#refused.push({ larder: this.#larder, key, cause: "refused", bytes })
      return this.bury(key, version)
    }
    const bytes = Envelope.withVersion(envelope, version)
    const isValue = !Envelope.isTombstone(bytes)
    this.#replace(key, version, isValue, this.#after(lifeMillis), bytes)
  }

  #expire(key: string, version: number): void {
    const row = this.#connection.get("present", this.#larder, key, this.#now)
    if (row === undefined || row["is_value"] !== 1) return this.#endLease(key, version)
    const present = envelopeOf(row)
    if (!(Arbitration.usable(Envelope.staleUntil(present)) > this.#now)) {
      return this.bury(key, version)
    }
    const envelope = Envelope.expireAt(Envelope.withVersion(present, version), this.#now)
    this.#connection.run("patch", version, envelope, this.#larder, key)
    this.#connection.run("endLease", this.#larder, key)
  }

  /** Without a stored entry the record of an ended lease carries the version. */
  #endLease(key: string, token: number): void {
    const expires = this.#after(this.#settleMillis)
    this.#connection.run("setLease", this.#larder, key, token, null, 0, expires)
  }

  #replace(
    key: string,
    version: number,
    isValue: boolean,
    expires: number,
    envelope: Uint8Array,
  ): void {
    this.#connection.run("remove", this.#larder, key)
    this.#connection.run(
      "insert",
      this.#larder,
      key,
      version,
      isValue ? 1 : 0,
      expires,
      bytesOf(key, envelope),
      envelope,
    )
    this.#connection.run("endLease", this.#larder, key)
  }

  #after(millis: number): number {
    return Math.ceil(Entry.after(this.#now, millis))
  }
}

/** The weight of an entry: keys are short, and most are ASCII. */
const bytesOf = (key: string, envelope: Uint8Array): number => envelope.length + 4 * key.length

const envelopeOf = (row: Row | undefined): Uint8Array => {
  const bytes = row?.["envelope"]
  if (bytes instanceof Uint8Array) return bytes
  throw new TypeError("a stored envelope is not a blob")
}
