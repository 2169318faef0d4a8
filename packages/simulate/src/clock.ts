/** The only module of the tool that reads a clock. A simulation has virtual time alone. */

/** Milliseconds of real time from an arbitrary beginning. */
export const now = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000
