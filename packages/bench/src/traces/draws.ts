/** Sources of requests to build traces from. Keys are whole numbers. */

import { weighted } from "../draw.ts"

/** Gives the key of the next request. */
export type Draw = () => number

/** Numbers in [0, 1). */
export type Random = () => number

/** Zipf's law: rank `r` has a share proportional to `1 / (r + 1) ** exponent`. */
export const zipf = (count: number, exponent: number, random: Random): Draw =>
  weighted(count, (rank) => (rank + 1) ** -exponent, random)

export const uniform =
  (count: number, random: Random): Draw =>
  () =>
    Math.floor(random() * count)

/** One key after the other, and again from the first after `length`; all different if it is infinite. */
export const loop = (length: number): Draw => {
  let next = 0
  return () => {
    const key = next
    next = key + 1 === length ? 0 : key + 1
    return key
  }
}

/** New keys that come twice each and never again, with requests for `2 * lag` other keys in between. */
export const twice = (lag: number): Draw => {
  let at = 0
  return () => {
    const pair = at >> 1
    return at++ % 2 === 0 ? pair : pair - lag
  }
}

/**
 * Mostly keys asked for a short while ago: the one `d` places down a stack of the
 * last `depth` different keys with a share proportional to `1 / (d + 1) ** exponent`,
 * and a new key in place of that in `fresh` of all cases.
 */
export const recent = (
  { depth, exponent, fresh }: { depth: number; exponent: number; fresh: number },
  random: Random,
): Draw => {
  const stack = Float64Array.from({ length: depth }, (_, place) => place)
  const distance = zipf(depth, exponent, random)
  let unused = depth
  return () => {
    const isNew = random() < fresh
    const place = isNew ? depth - 1 : distance()
    const key = isNew ? unused++ : stack[place]!
    stack.copyWithin(1, 0, place)
    stack[0] = key
    return key
  }
}

/** One draw after the other, each for so many requests, and again from the first. */
export const inTurn = (phases: ReadonlyArray<readonly [requests: number, draw: Draw]>): Draw => {
  let phase = 0
  let done = 0
  return () => {
    if (done === phases[phase]![0]) {
      phase = (phase + 1) % phases.length
      done = 0
    }
    done++
    return phases[phase]![1]()
  }
}

/** Each request from one of the draws, chosen at random with probabilities proportional to the shares. */
export const mixed = (
  parts: ReadonlyArray<readonly [share: number, draw: Draw]>,
  random: Random,
): Draw => {
  const choose = weighted(parts.length, (part) => parts[part]![0], random)
  return () => parts[choose()]![1]()
}

/** Every `requests` requests, all keys of `draw` move up by `step`. */
export const moving = (
  draw: Draw,
  { requests, step }: { requests: number; step: number },
): Draw => {
  let done = 0
  return () => draw() + step * Math.floor(done++ / requests)
}

/** Keys of `parts` draws that do not get in each other's way: this is the draw for number `part`. */
export const apart =
  (part: number, parts: number, draw: Draw): Draw =>
  () =>
    draw() * parts + part
