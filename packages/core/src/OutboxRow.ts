/**
 * What an outbox keeps for one key, and each step that changes it, as pure functions: at most one write
 * in flight, the newest write that waits behind it, and the last dead letter.
 *
 * **When to use**
 *
 * For an `OutboxStore` of your own over a database: load the rows, apply a step, store the rows, in one
 * transaction. `OutboxStore.layerMemory` and `SqlOutbox` of `@larder/sql` are made so.
 *
 * @module
 * @category writing
 * @since 0.1.0
 */

/**
 * A write that waits.
 *
 * @category models
 * @since 0.1.0
 */
export interface Waiting {
  /** Rises with every write of the key, on all nodes. */
  readonly version: number
  /** The encoded value; undefined removes the key. */
  readonly payload: string | undefined
  /** When the key got its first write that has not been flushed, ms since the Unix epoch. */
  readonly since: number
}

/**
 * A write that was claimed, and that no other write of its key may overtake.
 *
 * @category models
 * @since 0.1.0
 */
export interface InFlight extends Waiting {
  /** How often it was claimed. */
  readonly attempts: number
  /** The claim that holds it; undefined while it rests between two attempts. */
  readonly claim: string | undefined
  /** When it may be claimed again: the end of the lock, or of the rest. ms since the Unix epoch. */
  readonly readyAt: number
}

/**
 * A write that failed at its last attempt.
 *
 * @category models
 * @since 0.1.0
 */
export interface DeadLetter extends Waiting {
  /** How often it was claimed. */
  readonly attempts: number
  /** The failure of the last attempt. */
  readonly why: string
}

/**
 * What an outbox keeps for one key. A key without any of the three has no row.
 *
 * @category models
 * @since 0.1.0
 */
export interface Row {
  readonly waiting: Waiting | undefined
  readonly inFlight: InFlight | undefined
  readonly dead: DeadLetter | undefined
}

/**
 * A write of a key, as a store gets it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Offer {
  /** JSON, as the payload is: neither has a control character. */
  readonly key: string
  /** Rises with every write of the key, on all nodes. */
  readonly version: number
  /** The encoded value; undefined removes the key. */
  readonly payload: string | undefined
  /**
   * Only for an outbox that merges: the versions of the dead letter and of the waiting write that the
   * payload contains, in this order.
   */
  readonly merged: ReadonlyArray<number>
}

/**
 * The answer to an offer.
 *
 * - `Accepted`: the write waits.
 * - `Superseded`: a newer write of the key is there, so this one is not needed.
 * - `Full`: the outbox has as many keys as it may have, and this would be another one.
 * - `Unmerged`: the outbox merges, and the payload does not contain these older writes.
 *
 * @category models
 * @since 0.1.0
 */
export type Offered =
  | { readonly _tag: "Accepted" }
  | { readonly _tag: "Superseded" }
  | { readonly _tag: "Full" }
  | { readonly _tag: "Unmerged"; readonly writes: ReadonlyArray<Waiting> }

/**
 * The row of a key of which nothing is kept.
 *
 * **Example**
 *
 * ```ts
 * import { OutboxRow } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.ok(OutboxRow.isEmpty(OutboxRow.empty))
 * ```
 *
 * @category constants
 * @since 0.1.0
 */
export const empty: Row = Object.freeze({
  waiting: undefined,
  inFlight: undefined,
  dead: undefined,
})

/**
 * Whether a row holds nothing, so that its key has no place in the outbox any more.
 *
 * **Example**
 *
 * ```ts
 * import { OutboxRow } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const waiting = { version: 1, payload: "2", since: 0 }
 * assert.ok(!OutboxRow.isEmpty({ ...OutboxRow.empty, waiting }))
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isEmpty = ({ dead, inFlight, waiting }: Row): boolean =>
  waiting === undefined && inFlight === undefined && dead === undefined

/**
 * When something of the row may be claimed, ms since the Unix epoch; undefined for never.
 *
 * **Example**
 *
 * ```ts
 * import { OutboxRow } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const waiting = { version: 1, payload: "2", since: 5 }
 * assert.strictEqual(OutboxRow.readyAt({ ...OutboxRow.empty, waiting }), 5)
 * assert.strictEqual(OutboxRow.readyAt(OutboxRow.empty), undefined)
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const readyAt = ({ inFlight, waiting }: Row): number | undefined =>
  inFlight === undefined ? waiting?.since : inFlight.readyAt

const accepted: Offered = Object.freeze({ _tag: "Accepted" })
const superseded: Offered = Object.freeze({ _tag: "Superseded" })

/**
 * Applies an offer. The row is as before unless the answer is `Accepted`.
 *
 * **Details**
 *
 * The newest write by version takes the place of the one that waits, and of the dead letter. An outbox
 * that merges never drops a write: the offer must contain the dead letter and the write that waits, and
 * gets a version above that of the write in flight.
 *
 * **Example**
 *
 * ```ts
 * import { OutboxRow } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const options = { now: 0, merges: false }
 * const offer = { key: "milk", version: 2, payload: "new", merged: [] }
 * const [, row] = OutboxRow.offered(OutboxRow.empty, offer, options)
 * const [answer] = OutboxRow.offered(row, { ...offer, version: 1, payload: "old" }, options)
 * assert.strictEqual(answer._tag, "Superseded")
 * assert.strictEqual(row.waiting?.payload, "new")
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const offered = (
  row: Row,
  offer: Offer,
  { merges, now }: { readonly now: number; readonly merges: boolean },
): readonly [Offered, Row] => {
  const { dead, inFlight, waiting } = row
  const { merged, payload, version } = offer
  const since = waiting?.since ?? now
  if (!merges) {
    const newest = Math.max(waiting?.version ?? 0, inFlight?.version ?? 0, dead?.version ?? 0)
    if (version <= newest) return [superseded, row]
    return [accepted, { waiting: { version, payload, since }, inFlight, dead: undefined }]
  }
  const writes = [dead, waiting].filter((write) => write !== undefined)
  const isWhole =
    writes.length === merged.length && writes.every((write, i) => write.version === merged[i])
  if (!isWhole) return [{ _tag: "Unmerged", writes }, row]
  const above = inFlight === undefined ? 0 : inFlight.version + 1
  const highest = Math.max(version, above, ...merged)
  return [accepted, { waiting: { version: highest, payload, since }, inFlight, dead: undefined }]
}

/**
 * Claims what the row has to write; undefined where nothing may be claimed now.
 *
 * **Details**
 *
 * A write in flight whose lock has lapsed, or whose rest is over, gives way to the newer one that waits.
 * In an outbox that merges it is tried again first, since the newer one does not contain it.
 *
 * **Example**
 *
 * ```ts
 * import { OutboxRow } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const row = { ...OutboxRow.empty, waiting: { version: 1, payload: "2", since: 0 } }
 * const options = { now: 10, merges: false, claim: "a", lockMillis: 1_000 }
 * const claimed = OutboxRow.claimed(row, options)
 * assert.strictEqual(claimed?.inFlight?.readyAt, 1_010)
 * assert.strictEqual(OutboxRow.claimed(claimed, options), undefined)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const claimed = (
  row: Row,
  options: {
    readonly now: number
    readonly merges: boolean
    readonly claim: string
    readonly lockMillis: number
  },
): (Row & { readonly inFlight: InFlight }) | undefined => {
  const { claim, lockMillis, merges, now } = options
  const { dead, inFlight, waiting } = row
  const at = readyAt(row)
  if (at === undefined || at > now) return undefined
  const held = { claim, readyAt: now + lockMillis }
  if (inFlight !== undefined && (merges || waiting === undefined)) {
    return { waiting, inFlight: { ...inFlight, ...held, attempts: inFlight.attempts + 1 }, dead }
  }
  return waiting && { waiting: undefined, inFlight: { ...waiting, ...held, attempts: 1 }, dead }
}

/**
 * Whether a claim still holds the write in flight: steps of a flusher that lost its claim change nothing.
 *
 * **Example**
 *
 * ```ts
 * import { OutboxRow } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.ok(!OutboxRow.isHeld(OutboxRow.empty, { version: 1, claim: "a" }))
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isHeld = (
  { inFlight }: Row,
  { claim, version }: { readonly version: number; readonly claim: string },
): boolean => inFlight?.claim === claim && inFlight.version === version

/**
 * Renews the lock of the write in flight.
 *
 * **Example**
 *
 * ```ts
 * import { OutboxRow } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const inFlight = { version: 1, payload: "2", since: 0, attempts: 1, claim: "a", readyAt: 10 }
 * const renewed = OutboxRow.renewed({ ...OutboxRow.empty, inFlight }, 50)
 * assert.strictEqual(renewed.inFlight?.readyAt, 50)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const renewed = (row: Row, until: number): Row =>
  row.inFlight === undefined ? row : { ...row, inFlight: { ...row.inFlight, readyAt: until } }

/**
 * Drops the write in flight, which was written.
 *
 * **Example**
 *
 * ```ts
 * import { OutboxRow } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const inFlight = { version: 1, payload: "2", since: 0, attempts: 1, claim: "a", readyAt: 10 }
 * assert.ok(OutboxRow.isEmpty(OutboxRow.done({ ...OutboxRow.empty, inFlight })))
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const done = (row: Row): Row => ({ ...row, inFlight: undefined })

/**
 * Lets the write in flight, whose attempt failed, rest until a time. It keeps its place: no newer write
 * of the key is written before that time.
 *
 * **Example**
 *
 * ```ts
 * import { OutboxRow } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const inFlight = { version: 1, payload: "2", since: 0, attempts: 1, claim: "a", readyAt: 10 }
 * const retried = OutboxRow.retried({ ...OutboxRow.empty, inFlight }, 100)
 * assert.strictEqual(retried.inFlight?.claim, undefined)
 * assert.strictEqual(OutboxRow.readyAt(retried), 100)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const retried = (row: Row, at: number): Row =>
  row.inFlight === undefined
    ? row
    : { ...row, inFlight: { ...row.inFlight, claim: undefined, readyAt: at } }

/**
 * How a write in flight is buried.
 *
 * @category models
 * @since 0.1.0
 */
export interface Burial {
  /** The failure of the last attempt. */
  readonly why: string
  /** Only for an outbox that merges: the payload with that of the earlier dead letter in it. */
  readonly merged?: { readonly payload: string | undefined; readonly version: number } | undefined
}

/**
 * Makes the write in flight a dead letter. Where a newer write waits, that one takes its place, except in
 * an outbox that merges. Undefined where an earlier dead letter must be merged first.
 *
 * **Example**
 *
 * ```ts
 * import { OutboxRow } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const inFlight = { version: 1, payload: "2", since: 0, attempts: 8, claim: "a", readyAt: 10 }
 * const row = { ...OutboxRow.empty, inFlight }
 * const buried = OutboxRow.buried(row, { why: "too long" }, { merges: false })
 * assert.strictEqual(buried?.dead?.why, "too long")
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const buried = (
  row: Row,
  { merged, why }: Burial,
  { merges }: { readonly merges: boolean },
): Row | undefined => {
  const { dead, inFlight, waiting } = row
  if (inFlight === undefined) return undefined
  if (waiting !== undefined && !merges) return { waiting, inFlight: undefined, dead: undefined }
  if (merges && dead?.version !== merged?.version) return undefined
  const { attempts, since, version } = inFlight
  const payload = merged === undefined ? inFlight.payload : merged.payload
  return { waiting, inFlight: undefined, dead: { version, payload, since, attempts, why } }
}

/**
 * Lets the dead letter wait again, with its own version; undefined where there is none, or where a newer
 * write of the key is there.
 *
 * **Example**
 *
 * ```ts
 * import { OutboxRow } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const dead = { version: 1, payload: "2", since: 0, attempts: 8, why: "too long" }
 * const revived = OutboxRow.revived({ ...OutboxRow.empty, dead }, 100)
 * assert.deepStrictEqual(revived?.waiting, { version: 1, payload: "2", since: 100 })
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const revived = ({ dead, inFlight, waiting }: Row, now: number): Row | undefined => {
  if (dead === undefined || waiting !== undefined || inFlight !== undefined) return undefined
  const { payload, version } = dead
  return { waiting: { version, payload, since: now }, inFlight: undefined, dead: undefined }
}
