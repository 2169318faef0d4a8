/**
 * Which entries of a tier that does not arbitrate this node may use. An entry whose drop failed counts
 * as gone. With an arbiter behind the tier, an entry counts as current only if this larder stored it
 * there, from the arbiter or from upstream. Any other entry may be from before the larder was opened.
 */

import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { Entry } from "../../Entry.ts"
import { confirmedEntries, missedDrops } from "../runtime/limits.ts"

interface Putting {
  count: number
  /** The version up to which the key was dropped meanwhile. */
  dropped: number
  /** Waiters, each for as many ends of puts as were under way when it arrived. */
  readonly waiting: Array<{ left: number; readonly ended: Latch.Latch }>
}

/** Identifies an entry. Not the version alone: while the arbiter is away, each node gives its own. */
type Kept = Pick<Entry<unknown>, "storedAt" | "version">

interface Confirmation {
  /** When the arbiter confirmed the entry, in monotonic time. */
  readonly at: number
  /** The arbiter gave the version, to this value alone: the version identifies the value. */
  readonly isOrdered: boolean
}

interface Confirmed extends Kept, Confirmation {}

export class Trust {
  /** The entries that this larder stored and did not drop, by key; oldest write first. */
  readonly #confirmed = new Map<string, Confirmed>()
  /** By key, the highest version whose drop failed. */
  readonly #missed = new Map<string, number>()
  /** For any key: entries up to this version count as dropped. */
  #missedBelow = 0
  /** Entries that were confirmed up to this moment, in monotonic time, may be out of date. */
  #suspectUpTo = -Infinity
  /** Keys with puts under way. */
  readonly #putting = new Map<string, Putting>()
  /** Keys with drops under way, with the highest of their versions. */
  readonly #dropping = new Map<string, { count: number; version: number }>()

  beginPut(key: string): void {
    const putting = this.#putting.get(key)
    if (putting === undefined) this.#putting.set(key, { count: 1, dropped: 0, waiting: [] })
    else putting.count += 1
  }

  /** Ends a put; returns the version up to which the key was dropped meanwhile, perhaps before the put. */
  endPut(key: string): number {
    const putting = this.#putting.get(key)
    if (putting === undefined) return 0
    putting.count -= 1
    if (putting.count === 0) this.#putting.delete(key)
    for (const one of putting.waiting) {
      one.left -= 1
      if (one.left === 0) one.ended.openUnsafe()
    }
    return putting.dropped
  }

  /** Waits until as many puts of the key have ended as are under way now: at most `tierTimeout`. */
  putsEnded(key: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      const putting = this.#putting.get(key)
      if (putting === undefined) return Effect.void
      const ended = Latch.makeUnsafe()
      putting.waiting.push({ left: putting.count, ended })
      return ended.await
    })
  }

  /**
   * Begins a drop of the entries up to a version. Race: the tier is slow, and is read before the drop
   * has reached it or has failed.
   */
  beginDrop(key: string, version: number): void {
    const dropping = this.#dropping.get(key) ?? { count: 0, version }
    dropping.count += 1
    dropping.version = Math.max(dropping.version, version)
    this.#dropping.set(key, dropping)
    this.dropping(key, version)
  }

  endDrop(key: string): void {
    const dropping = this.#dropping.get(key)
    if (dropping === undefined) return
    dropping.count -= 1
    if (dropping.count === 0) this.#dropping.delete(key)
  }

  /** Puts under way must not store an entry up to this version. */
  dropping(key: string, version: number): void {
    const putting = this.#putting.get(key)
    if (putting !== undefined) putting.dropped = Math.max(putting.dropped, version)
  }

  /** Records that the tier has an entry; `stored` if this put wrote it. */
  kept(
    key: string,
    { storedAt, version }: Kept,
    stored: boolean,
    { at, isOrdered }: Confirmation,
  ): void {
    // A put that was refused met the newer entry that is known.
    if (!stored && version < (this.#confirmed.get(key)?.version ?? 0)) return
    this.#confirmed.delete(key)
    this.#confirmed.set(key, { storedAt, version, at, isOrdered })
    if (stored || (this.#missed.get(key) ?? Infinity) <= version) this.#missed.delete(key)
    if (this.#confirmed.size <= confirmedEntries) return
    for (const oldest of this.#confirmed.keys()) {
      this.#confirmed.delete(oldest)
      return
    }
  }

  /** When the arbiter last confirmed this entry, in monotonic time; undefined for never. */
  confirmedAt(key: string, entry: Kept): number | undefined {
    const at = this.#known(key, entry)?.at ?? -Infinity
    return at > this.#suspectUpTo ? at : undefined
  }

  /**
   * Whether the arbiter's version alone can confirm this suspect entry. Not if the arbiter is known to
   * have another version by now.
   */
  isConfirmable(key: string, entry: Kept): boolean {
    const known = this.#known(key, entry)
    return known?.isOrdered === true && known.at > -Infinity
  }

  /** The record of this entry, if this larder stored it. */
  #known(key: string, { storedAt, version }: Kept): Confirmed | undefined {
    const kept = this.#confirmed.get(key)
    return kept?.version === version && kept.storedAt === storedAt ? kept : undefined
  }

  /** Records that messages up to this moment may be missing: entries must be confirmed again. */
  suspect(moment: number): void {
    this.#suspectUpTo = Math.max(this.#suspectUpTo, moment)
  }

  /**
   * Records that the arbiter has this version of the key: older entries must be confirmed again. Returns
   * whether the tier is known to have an older one.
   */
  outdate(key: string, version: number): boolean {
    this.dropping(key, version - 1)
    const isOlder = (this.#confirmed.get(key)?.version ?? Infinity) < version
    if (isOlder) this.distrust(key)
    return isOlder
  }

  /** The entry stays known, and is not confirmed. */
  distrust(key: string): void {
    const known = this.#confirmed.get(key)
    if (known !== undefined) this.#confirmed.set(key, { ...known, at: -Infinity })
  }

  /** Records a failed drop: entries up to this version must not be returned. */
  miss(key: string, version: number): void {
    this.#missed.set(key, Math.max(version, this.#missed.get(key) ?? 0))
    if (this.#missed.size <= missedDrops) return
    for (const missed of this.#missed.values()) {
      this.#missedBelow = Math.max(this.#missedBelow, missed)
    }
    this.#missed.clear()
  }

  /** Records that no entry up to this version is fresh in the tier; puts under way must not store a fresh one. */
  expired(key: string, version: number): void {
    this.dropping(key, version)
    this.distrust(key)
  }

  /** Records that the tier has no entry of the key up to this version. */
  gone(key: string, version: number): void {
    if ((this.#confirmed.get(key)?.version ?? 0) <= version) this.#confirmed.delete(key)
    if ((this.#missed.get(key) ?? 0) <= version) this.#missed.delete(key)
  }

  /** The highest version of the key that counts as dropped; 0 for none. */
  missedAt(key: string): number {
    const dropping = this.#dropping.get(key)?.version ?? 0
    return Math.max(this.#missedBelow, this.#missed.get(key) ?? 0, dropping)
  }

  /** Keys whose drop failed, with the version. */
  get missed(): ReadonlyMap<string, number> {
    return this.#missed
  }
}
