/**
 * Law 16 on a hundred thousand damaged envelopes: never a crash, never a wrong value.
 *
 * A failure names its seed; `LARDER_SEED=<seed>` runs it again.
 */
import { isDeepStrictEqual } from "node:util"
import { crc32 } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Entry, Envelope, Wire } from "../src/index.ts"
import { msgpack } from "../src/WireMsgpack.ts"

/** With `CI` set the damage is always the same, so that it does not decide whether a change passes. */
const fixed = process.env["CI"] === undefined ? undefined : "20261121"
const given = Number.parseInt(process.env["LARDER_SEED"] ?? fixed ?? "", 10)
const seed = Number.isNaN(given) ? Math.floor(Math.random() * 2 ** 31) : given

/** mulberry32: a generator of its own, since 10^5 runs of a property test would take too long. */
const generator = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

const headerLength = 96
const keys = { a: new Uint8Array(32).fill(1), b: new Uint8Array(32).fill(2) }
const compressed = Wire.compressed(Wire.json, { threshold: 64, maxBytes: 100_000 })

/** How many damaged envelopes, and every how many of those is given a right checksum again. */
const wires = [
  { wire: Wire.json, runs: 32_000, forgedEvery: 2 },
  { wire: msgpack, runs: 32_000, forgedEvery: 2 },
  { wire: compressed, runs: 14_000, forgedEvery: 20 },
  { wire: Wire.encrypted(Wire.json, { keys, current: "a" }), runs: 14_000, forgedEvery: 5 },
  { wire: Wire.encrypted(compressed, { keys, current: "b" }), runs: 8_000, forgedEvery: 5 },
] as const

const Value = Schema.UndefinedOr(
  Schema.Struct({ id: Schema.String, n: Schema.Array(Schema.Number), text: Schema.String }),
)
const codec = Schema.toCodecJson(Value)

interface Written {
  readonly context: Envelope.EnvelopeContext
  readonly entry: Entry.Entry<typeof Value.Type>
  readonly bytes: Uint8Array
}

const entryOf = (i: number): Entry.Entry<typeof Value.Type> => ({
  value:
    i === 3
      ? undefined
      : { id: `id-${i}`, n: [i, -1, 0.5, 70_000], text: "some words ".repeat(i * i) },
  storedAt: 1000 + i,
  freshUntil: 2000,
  revalidateUntil: 3000,
  staleUntil: i === 2 ? Entry.forever : 9000 + i,
  loadMillis: i,
  version: 5 + i,
  asOf: i,
  tags: i === 1 ? [] : ["a", `b${i}`],
  ...(i === 0 ? undefined : { etag: `e${i}` }),
})

const written = (wire: Wire.Wire): Promise<ReadonlyArray<Written>> =>
  Promise.all(
    [0, 1, 2, 3, 4].map(async (i) => {
      const context = { larder: "products", key: `k${i % 2}`, schemaVersion: 3 }
      const entry = entryOf(i)
      const bytes = await Effect.runPromise(Envelope.encode(entry, codec, wire, context))
      return { context, entry, bytes }
    }),
  )

type Below = (below: number) => number

const spliced = (a: Uint8Array, b: Uint8Array, below: Below): Uint8Array => {
  // Often at the same place, so that whole fields and parts change hands.
  const from = below(a.length + 1)
  const to = below(2) === 0 ? Math.min(from, b.length) : below(b.length + 1)
  return Buffer.concat([a.subarray(0, from), b.subarray(to)])
}

const withByte = (bytes: Uint8Array, at: number, byte: number): Uint8Array => {
  const copy = new Uint8Array(bytes)
  copy[at] = byte
  return copy
}

const damages: ReadonlyArray<(a: Uint8Array, b: Uint8Array, below: Below) => Uint8Array> = [
  (a, _, below) => withByte(a, below(a.length), below(256)),
  (a, _, below) => {
    const at = below(a.length)
    return withByte(a, at, a[at]! ^ (1 << below(8)))
  },
  (a, _, below) => a.subarray(0, below(a.length)),
  (a, _, below) => Buffer.concat([a, Uint8Array.from({ length: 1 + below(9) }, () => below(256))]),
  spliced,
  // A digit of the header, as a server's script could write it.
  (a, _, below) => withByte(a, 3 + below(85), 48 + below(10)),
  // A whole field of the other's header.
  (a, b, below) => {
    const [from, to] = [
      [3, 19],
      [19, 32],
      [32, 45],
      [45, 58],
      [58, 71],
      [71, 79],
      [79, 80],
      [88, 96],
    ][below(8)]! as [number, number]
    const copy = new Uint8Array(a)
    copy.set(b.subarray(from, to), from)
    return copy
  },
  // A few bytes that go, or come twice.
  (a, _, below) => {
    const from = below(a.length)
    const to = below(a.length)
    return Buffer.concat([a.subarray(0, from), a.subarray(to)])
  },
  (_, __, below) => Uint8Array.from({ length: below(200) }, () => below(256)),
  (a, _, below) =>
    Buffer.concat([
      a.subarray(0, headerLength),
      Uint8Array.from({ length: below(99) }, () => below(256)),
    ]),
]

/** The forged envelope, with a correct checksum. */
const withChecksum = (bytes: Uint8Array): Uint8Array => {
  if (bytes.length < headerLength) return bytes
  const copy = new Uint8Array(bytes)
  const sum = crc32(copy.subarray(headerLength), crc32(copy.subarray(45, 88)))
  copy.set(Buffer.from(sum.toString(16).padStart(8, "0")), 88)
  return copy
}

/** Outside of the checksum by design: servers patch these in place. */
const fixedOnce = ({
  freshUntil: _,
  revalidateUntil: __,
  version: ___,
  ...rest
}: Entry.Entry<unknown>) => rest

const check = (
  decoded: Envelope.Decoded<typeof Value.Type>,
  sources: ReadonlyArray<Written>,
  { isForged, seals }: { readonly isForged: boolean; readonly seals: boolean },
): void => {
  if (decoded._tag !== "Entry") {
    const others = isForged ? ["OlderSchema", "NewerSchema"] : []
    assert.oneOf(decoded._tag, ["Undecodable", "Tombstone", ...others])
    return
  }
  const { entry } = decoded
  assert.isTrue(Number.isSafeInteger(entry.version))
  assert.isAtMost(Math.max(entry.freshUntil, entry.revalidateUntil), entry.staleUntil)
  assert.isTrue(Schema.is(Value)(entry.value))
  // A sealing wire holds against forgers too; the others give them what they wrote.
  if (isForged && !seals) return
  const right = sources.some((source) =>
    isDeepStrictEqual(fixedOnce(source.entry), fixedOnce(entry)),
  )
  assert.isTrue(right, JSON.stringify(entry))
}

describe("law 16: damaged envelopes", () => {
  for (const { forgedEvery, runs, wire } of wires) {
    it(`${runs} of ${wire.name}: no crash, no wrong value`, { timeout: 60_000 }, async () => {
      const all = await written(wire)
      const below = generator(seed)
      const entries = { right: 0, forged: 0 }
      const one = async (run: number): Promise<void> => {
        const a = all[below(all.length)]!
        const b = all[below(all.length)]!
        const damaged = damages[run % damages.length]!(a.bytes, b.bytes, below)
        // Every kind of damage in turn, with and without a right checksum.
        const isForged = Math.floor(run / damages.length) % forgedEvery === 0
        const bytes = isForged ? withChecksum(damaged) : damaged
        const decoded = await Effect.runPromise(Envelope.decode(bytes, codec, wire, a.context))
        const seals = wire.seals === true
        // Sealed values are right for their own key alone.
        const sources = seals ? all.filter(({ context }) => context.key === a.context.key) : [a, b]
        try {
          check(decoded, sources, { isForged, seals })
        } catch (cause) {
          const hex = Buffer.from(bytes).toString("hex")
          throw new Error(`LARDER_SEED=${seed}, run ${run}: ${hex}`, { cause })
        }
        if (decoded._tag === "Entry") entries[isForged ? "forged" : "right"] += 1
      }
      for (let run = 0; run < runs; run += 50) {
        await Promise.all(Array.from({ length: Math.min(50, runs - run) }, (_, i) => one(run + i)))
      }
      // Not all was refused: digits that may be patched were, and forged ones too.
      assert.isAbove(entries.right, runs / 100)
      assert.isAbove(entries.forged, runs / 1000)
    })
  }
})
