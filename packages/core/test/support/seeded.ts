/** Random draws for tests of a million steps, for which those of a property test take too long. */

/** With `CI` set the draws are always the same, so that they do not decide whether a change passes; `LARDER_SEED=<seed>` repeats those of a failed run. */
const fixed = process.env["CI"] === undefined ? undefined : "20261121"
const given = Number.parseInt(process.env["LARDER_SEED"] ?? fixed ?? "", 10)

export const seed = Number.isNaN(given) ? Math.floor(Math.random() * 2 ** 31) : given

/** An integer from 0 up to one less than `below`. */
export type Draw = (below: number) => number

/** mulberry32. */
export const drawing = (from: number): Draw => {
  let state = from
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}
