/** Hits in a full store, asked for at random. */
import { now } from "../clock.ts"
import { generator, zipf } from "@larder/traces"
import type { Store } from "./contenders.ts"

export const draws = ["uniform", "zipf"] as const

export type Draw = (typeof draws)[number]

const drawn = 1 << 20
const perSample = 1 << 16
const samples = 48

/** Has no common divisor with numbers of keys that are powers of ten. */
const stride = 7_919

/** Numbers below `count`; popular ones are scattered, so that they were not stored next to each other. */
export const places = (draw: Draw, count: number, length: number): Uint32Array => {
  const random = generator(1)
  const rank = draw === "zipf" ? zipf(count, 1, random) : () => Math.floor(random() * count)
  return Uint32Array.from({ length }, () => (rank() * stride) % count)
}

const pass = (
  store: Store,
  keys: ReadonlyArray<string>,
  asked: Uint32Array,
  from: number,
  to: number,
): void => {
  let hits = 0
  for (let at = from; at < to; at++) if (store.get(keys[asked[at]!]!)) hits++
  if (hits !== to - from) throw new Error(`${to - from - hits} keys were stored and are not there`)
}

/** Nanoseconds per hit, one for each sample. */
export const hits = (
  store: Store,
  keys: ReadonlyArray<string>,
  draw: Draw,
): ReadonlyArray<number> => {
  for (const key of keys) store.set(key)
  const asked = places(draw, keys.length, drawn)
  pass(store, keys, asked, 0, drawn)
  return Array.from({ length: samples }, (_, sample) => {
    const from = (sample * perSample) % drawn
    const begin = now()
    pass(store, keys, asked, from, from + perSample)
    return ((now() - begin) * 1e6) / perSample
  })
}
