/**
 * What a tier keeps for one key: a value, its times, and what is needed to
 * judge and to order it. Entries are immutable; a change makes a new one.
 */

/**
 * A cached value with its times.
 *
 * **Details**
 *
 * All times are milliseconds since the Unix epoch, all numbers are integers
 * below 2^53. {@link forever} stands for a time that never comes.
 *
 * - `storedAt`: when upstream last vouched for the value.
 * - `freshUntil`: from this moment on the value is no longer fresh.
 * - `revalidateUntil`: until then it may be given while a refresh runs
 *   (RFC 5861 *stale-while-revalidate*).
 * - `staleUntil`: until then it may be given when upstream fails
 *   (RFC 5861 *stale-if-error*). Nothing is ever served after it.
 * - `loadMillis`: how long the lookup took; early refresh works with it.
 * - `version`: the order of writes to this key.
 * - `asOf`: the number of the last mark known when the lookup began; a mark
 *   with a higher number that covers the entry invalidates it.
 * - `etag`: the upstream's validator, for conditional lookups.
 */
export interface Entry<out A> {
  readonly value: A
  readonly storedAt: number
  readonly freshUntil: number
  readonly revalidateUntil: number
  readonly staleUntil: number
  readonly loadMillis: number
  readonly version: number
  readonly asOf: number
  readonly tags: ReadonlyArray<string>
  readonly etag?: string | undefined
}

/** A time that never comes: what an infinite duration gives. */
export const forever: number = Number.MAX_SAFE_INTEGER

/**
 * The moment `millis` after `start`, without overflow: anything that is not a
 * safe integer any more is {@link forever}. NaN stays NaN, which is no time at all.
 */
export const after = (start: number, millis: number): number => {
  const at = start + millis
  return at >= forever ? forever : at
}

/**
 * The entry as `expire` and marks that keep stale values leave it: neither
 * fresh nor in revalidate grace from `now` on, and in error grace for what was
 * left of its life. `undefined` when nothing of its life is left.
 */
export const expireAt = <A>(entry: Entry<A>, now: number): Entry<A> | undefined =>
  now < entry.staleUntil
    ? {
        ...entry,
        freshUntil: entry.freshUntil < now ? entry.freshUntil : now,
        revalidateUntil: entry.revalidateUntil < now ? entry.revalidateUntil : now,
      }
    : undefined

/**
 * The entry as a node at `now` may take it over from elsewhere. One that says it
 * was stored later than now comes from a clock that was ahead, so its age is not
 * known: it is no longer fresh, whatever it says, and what it says of its
 * duration counts from now. `undefined` when nothing of its life is left.
 */
export const believedAt = <A>(entry: Entry<A>, now: number): Entry<A> | undefined => {
  const ahead = entry.storedAt - now
  if (ahead <= 0) return entry
  const fromNow = shift(entry, -ahead)
  return ahead <= clockResolution ? fromNow : expireAt(fromNow, now)
}

/**
 * Times of another clock, ms, that differ by less are the same: whole milliseconds are
 * read of it, and it is compared with this node's in a trip that takes a moment. Else
 * a value read right after another node has stored it would be one of the future.
 */
const clockResolution = 5

/**
 * The entry with all its times moved by `offset` milliseconds: from the clock
 * of one place to the clock of another. {@link forever} stays as it is.
 */
export const shift = <A>(entry: Entry<A>, offset: number): Entry<A> =>
  offset === 0
    ? entry
    : {
        ...entry,
        storedAt: shiftTime(entry.storedAt, offset),
        freshUntil: shiftTime(entry.freshUntil, offset),
        revalidateUntil: shiftTime(entry.revalidateUntil, offset),
        staleUntil: shiftTime(entry.staleUntil, offset),
      }

/** One time moved by `offset` milliseconds; {@link forever} stays as it is. */
export const shiftTime = (time: number, offset: number): number =>
  time === forever ? forever : after(time, offset)
