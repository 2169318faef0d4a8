/** The time measured with: the one place of the bench that reads a real clock. */

/** Milliseconds with a fraction, from an arbitrary beginning. */
export const now = (): number => performance.now()
