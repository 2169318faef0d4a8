/** What an audit compares, and how. */
import * as Equal from "effect/Equal"

/**
 * The option `audit`: compares some fresh hits with upstream, after their callers have the answer. It
 * proves that changes of the source reach this node, and finds writers that forget to invalidate.
 *
 * @category options
 * @since 0.1.0
 */
export interface AuditOptions<in A> {
  /** The share of the hits that are compared: above 0, and at most 1. Default 0.001. */
  readonly share?: number | undefined
  /** The most comparisons in a second, each of them a lookup: above 0. Default 1. */
  readonly perSecond?: number | undefined
  /**
   * Whether the known value is still right, where there is no `revision`. Default: Effect's `Equal`,
   * which compares plain objects and arrays by their members.
   */
  readonly equal?: ((known: A, upstream: A) => boolean) | undefined
}

/** The checked option. */
export interface Audit {
  readonly share: number
  readonly perSecond: number
  readonly equal: (known: unknown, upstream: unknown) => boolean
}

export const byDefault = (known: unknown, upstream: unknown): boolean =>
  Equal.equals(known, upstream)

type Revision = (value: unknown) => number | bigint | string

/**
 * Compares the value that a caller got with the one that upstream has now. `older`: upstream has a lower
 * revision, as of a lagging replica, which says nothing. Throws what the user's functions throw.
 */
export const compare = (
  { equal }: Audit,
  revision: Revision | undefined,
  known: unknown,
  upstream: unknown,
): "same" | "differs" | "older" => {
  if (revision === undefined) return equal(known, upstream) ? "same" : "differs"
  const [ours, theirs] = [revision(known), revision(upstream)]
  if (theirs === ours) return "same"
  return theirs < ours ? "older" : "differs"
}
