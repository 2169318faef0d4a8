/**
 * The records of one larder at a shared tier in this process: entries, leases and marks. Every operation
 * is one synchronous step, and so atomic.
 */
import { after } from "../../Entry.ts"
import * as Envelope from "../../Envelope.ts"
import type { Acquired, Committed, LeaseRequest, Limits, Write, Written } from "../../Tier.ts"
import {
  brought,
  decideAcquire,
  decideCommit,
  decideDelayed,
  holds,
  mayPut,
  nextNumber,
  usable,
} from "../../Arbitration.ts"
import type { LeaseRecord, Stored, StoredEntry } from "../../Arbitration.ts"
import { MarkLog } from "../invalidation/markLog.ts"
import { marksPerPage, maxMarks, sharedEntries } from "../runtime/limits.ts"
import type { SteadyClock } from "../runtime/steadyClock.ts"
import type { Channel, Published } from "./channel.ts"
import { ExpiringMap } from "./expiringMap.ts"

interface Kept {
  readonly bytes: Uint8Array
  readonly expiresAt: number
}

const nothing: Stored = { version: 0, isValue: false }

const storedOf = (kept: Kept | undefined): Stored =>
  kept === undefined
    ? nothing
    : {
        version: usable(Envelope.version(kept.bytes)),
        isValue: !Envelope.isTombstone(kept.bytes),
      }

/** With the times of a value. */
const storedEntryOf = (kept: Kept | undefined): StoredEntry => {
  if (kept === undefined) return nothing
  const { bytes } = kept
  const times = { freshUntil: Envelope.freshUntil(bytes), storedAt: Envelope.storedAt(bytes) }
  return { ...storedOf(kept), ...times }
}

/**
 * The records of one larder. They stay when the larder closes, for the same larder opened again or
 * by another node.
 */
export class Shelf {
  /**
   * The highest version or token whose record is gone. New numbers are above it: otherwise, while the
   * clock stands still, two nodes could get the same token.
   */
  #lost = 0
  readonly #entries = new ExpiringMap<Kept>(sharedEntries, ({ bytes }) => {
    this.#lost = Math.max(this.#lost, usable(Envelope.version(bytes)))
  })
  readonly #leases = new ExpiringMap<LeaseRecord>(sharedEntries, ({ token }) => {
    this.#lost = Math.max(this.#lost, token)
  })
  /** Undefined after a loss of everything, until a node asks: a server has no floors of its own accord. */
  #marks: MarkLog | undefined
  /**
   * The number of the last mark that drops stale values; a failover does not change it. It stands for what
   * nodes that have heard of the mark know.
   */
  #lastDrop = 0
  /** The number of the last mark. */
  #lastKnown = 0
  readonly #clock: SteadyClock
  readonly #settleMillis: number
  readonly #pushBytes: number
  readonly channel: Channel

  constructor(clock: SteadyClock, { pushBytes, settleTime }: Limits, channel: Channel) {
    this.#clock = clock
    this.#settleMillis = settleTime
    this.#pushBytes = pushBytes
    this.channel = channel
    this.#marksAt(this.#now())
  }

  #now(): number {
    return Math.max(0, this.#clock.currentTimeMillisUnsafe())
  }

  read(keys: ReadonlyArray<string>): ReadonlyArray<Uint8Array | undefined> {
    const now = this.#now()
    return keys.map((key) => {
      const kept = this.#entries.get(key, now)
      return kept && new Uint8Array(kept.bytes)
    })
  }

  put(key: string, envelope: Uint8Array, lifeMillis: number): boolean {
    const now = this.#now()
    const version = brought(Envelope.version(envelope))
    const lease = this.#leases.get(key, now)
    if (!mayPut(storedOf(this.#entries.get(key, now)), lease, version)) return false
    this.#store(key, envelope, version, lifeMillis, now)
    return true
  }

  drop(key: string, version: number): void {
    const stored = storedOf(this.#entries.get(key, this.#now()))
    if (stored.version > version) return
    this.#entries.delete(key)
    this.#lost = Math.max(this.#lost, stored.version)
  }

  acquire(key: string, request: LeaseRequest): Acquired {
    const now = this.#now()
    const kept = this.#entries.get(key, now)
    const lease = this.#leases.get(key, now)
    const stored = storedOf(kept)
    const decision = decideAcquire(stored, lease, request, now)
    if (decision._tag === "Newer") {
      return { ...decision, envelope: new Uint8Array(kept!.bytes) }
    }
    if (decision._tag !== "Win") return decision
    const token = nextNumber(now, stored.version, lease?.token, brought(request.known), this.#lost)
    this.#lease(key, token, request.leaseMillis, now)
    return { _tag: "Won", token, storedVersion: stored.version }
  }

  renew(key: string, token: number, leaseMillis: number): boolean {
    const now = this.#now()
    const stored = storedOf(this.#entries.get(key, now))
    if (!holds(stored, this.#leases.get(key, now), token)) return false
    this.#lease(key, token, leaseMillis, now)
    return true
  }

  release(key: string, token: number, failedMillis: number): void {
    const now = this.#now()
    const lease = this.#leases.get(key, now)
    if (lease === undefined || lease.token !== token || lease.until === undefined) return
    const failedUntil = failedMillis > 0 ? after(now, failedMillis) : 0
    const expiresAt = Math.max(lease.expiresAt, failedUntil)
    this.#leases.set(key, { token, until: undefined, failedUntil, expiresAt }, now)
    this.channel.publish({ _tag: "Released", key })
  }

  commit(key: string, token: number, envelope: Uint8Array, lifeMillis: number): Committed {
    const now = this.#now()
    const stored = storedOf(this.#entries.get(key, now))
    const decision = decideCommit(stored, this.#leases.get(key, now), token)
    if (decision === "Stored") this.#store(key, envelope, token, lifeMillis, now)
    return { decision, lastMark: this.#lastMark(now) }
  }

  write(key: string, write: Write, known: number): Written {
    const time = this.#now()
    return { version: this.#write(key, write, known, time), time, lastMark: this.#lastMark(time) }
  }

  #write(key: string, write: Write, known: number, time: number): number {
    const kept = this.#entries.get(key, time)
    if ("at" in write && write.at !== undefined) {
      return this.#writeDelayed(key, write, write.at, time)
    }
    const token = this.#leases.get(key, time)?.token
    const version = nextNumber(time, storedOf(kept).version, token, brought(known), this.#lost)
    if (write._tag === "Set") this.#store(key, write.envelope, version, write.lifeMillis, time)
    else if (write._tag === "Remove") this.#bury(key, version, time)
    else this.#expire(key, kept, version, time)
    return version
  }

  #writeDelayed(key: string, write: Write, at: number, time: number): number {
    const stored = storedEntryOf(this.#entries.get(key, time))
    const lease = this.#leases.get(key, time)
    const decision = decideDelayed(stored, lease, at, time, this.#settleMillis)
    if (decision._tag === "Overtaken") return stored.version
    const { endsLease, isExpired, isTooLate, version } = decision
    const survivor = endsLease ? undefined : lease
    if (write._tag === "Set" && !isTooLate) {
      const { envelope, lifeMillis } = write
      const bytes = isExpired ? Envelope.expireAt(envelope, time) : envelope
      this.#store(key, bytes, version, lifeMillis, time, survivor)
    } else this.#bury(key, version, time, survivor)
    return version
  }

  /** The marks; after a loss new ones, whose floors are above all that was lost. */
  #marksAt(now: number): MarkLog {
    if (this.#marks !== undefined) return this.#marks
    const marks = new MarkLog(now, maxMarks)
    marks.lostUpTo(Math.max(this.#lastKnown, marks.last), this.#lastDrop > 0)
    this.#marks = marks
    return marks
  }

  /** After a loss, the number of a mark that is set now: what was looked up before is in doubt. */
  #lastMark(now: number): number {
    return this.#marks?.last ?? nextNumber(now, this.#lastKnown)
  }

  mark(tags: ReadonlyArray<string | undefined>, keepStale: boolean, known: number) {
    const now = this.#now()
    const marks = this.#marksAt(now)
    const { number, page, previous } = marks.add(tags, keepStale, known, now)
    if (!keepStale) this.#lastDrop = number
    this.#lastKnown = number
    // Last: a node that hears of the mark may set another one at once.
    this.channel.publish({ _tag: "Marked", previous, page })
    return { ...marks.after(known, now, marksPerPage), number }
  }

  marks(since: number) {
    const time = this.#now()
    const marks = this.#marksAt(time)
    // The reader knows a later mark: this server has lost some.
    if (since > marks.last) marks.lostUpTo(since, this.#lastDrop > marks.last)
    return { ...marks.after(since, time, marksPerPage), time }
  }

  versions(keys: ReadonlyArray<string>): ReadonlyArray<Stored> {
    const now = this.#now()
    return keys.map((key) => storedOf(this.#entries.get(key, now)))
  }

  /** All records are gone, and entries from before are no longer fresh anywhere. */
  loseAll(): void {
    this.#entries.loseWhere(() => true)
    this.#leases.loseWhere(() => true)
    this.#marks = undefined
  }

  evict(isChosen: (key: string) => boolean): void {
    this.#entries.loseWhere(isChosen)
  }

  /** The keys with that prefix that have a value, or the record of a lease. */
  keys(prefix: string): ReadonlyArray<string> {
    const values = this.#entries.keysWith(prefix, ({ bytes }) => !Envelope.isTombstone(bytes))
    return [...new Set([...values, ...this.#leases.keysWith(prefix, () => true)])]
  }

  readonly restoreEmpty = (): void => {
    this.loseAll()
    this.channel.reconnect()
  }

  /** The records as they are now; the function brings them back, on a server with another connection. */
  copied(): () => void {
    const [entries, leases] = [this.#entries.copied(), this.#leases.copied()]
    const marks = this.#marks?.copied(this.#now())
    return () => {
      this.#entries.restore(entries)
      this.#leases.restore(leases)
      this.#marks = marks?.copied(this.#now())
      this.channel.reconnect()
    }
  }

  #lease(key: string, token: number, leaseMillis: number, now: number): void {
    const until = after(now, leaseMillis)
    const expiresAt = Math.max(until, after(now, this.#settleMillis))
    this.#leases.set(key, { token, until, failedUntil: 0, expiresAt }, now)
  }

  /** Stores a value; a value without a life leaves a tombstone, so that older values stay away. */
  #store(
    key: string,
    envelope: Uint8Array,
    version: number,
    lifeMillis: number,
    now: number,
    survivor?: LeaseRecord,
  ): void {
    if (!(lifeMillis > 0)) return this.#bury(key, version, now, survivor)
    const bytes = Envelope.withVersion(envelope, version)
    this.#change(key, { bytes, expiresAt: after(now, lifeMillis) }, now, { survivor })
  }

  #bury(key: string, version: number, now: number, survivor?: LeaseRecord): void {
    const expiresAt = after(now, 2 * this.#settleMillis)
    this.#change(key, { bytes: Envelope.tombstone(version), expiresAt }, now, { survivor })
  }

  #expire(key: string, kept: Kept | undefined, version: number, now: number): void {
    if (kept === undefined || Envelope.isTombstone(kept.bytes)) {
      return this.#endLease(key, version, now)
    }
    if (!(usable(Envelope.staleUntil(kept.bytes)) > now)) return this.#bury(key, version, now)
    const bytes = Envelope.expireAt(Envelope.withVersion(kept.bytes, version), now)
    this.#change(key, { bytes, expiresAt: kept.expiresAt }, now, { isExpiry: true })
  }

  /**
   * Stores a change and ends the lease, so that a later reader can get one at once, unless the lease is from
   * after the change and survives it. The message of an expiry carries no value: nodes that have the key have
   * the value as well. The message comes last: a node that hears of the change may ask for the lease at once.
   */
  #change(
    key: string,
    kept: Kept,
    now: number,
    {
      isExpiry = false,
      survivor,
    }: { readonly isExpiry?: boolean; readonly survivor?: LeaseRecord | undefined },
  ): void {
    this.#entries.set(key, kept, now)
    if (survivor === undefined) this.#leases.delete(key)
    const { isValue, version } = storedOf(kept)
    const isPushed = isValue && !isExpiry && kept.bytes.length <= this.#pushBytes
    const changed: Published = { _tag: "Changed", key, version, isRemoval: !isValue }
    this.channel.publish(isPushed ? { ...changed, envelope: new Uint8Array(kept.bytes) } : changed)
  }

  /** Ends the lease. With no value stored, the record of the ended lease keeps the version. */
  #endLease(key: string, token: number, now: number): void {
    const expiresAt = after(now, this.#settleMillis)
    this.#leases.set(key, { token, until: undefined, failedUntil: 0, expiresAt }, now)
    this.channel.publish({ _tag: "Changed", key, version: token, isRemoval: false })
  }
}
