/** A memory tier behind another tier, as a byte tier: only the nearest tier stores values themselves. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { after } from "../../Entry.ts"
import * as Envelope from "../../Envelope.ts"
import * as Policy from "../../Policy.ts"
import type { ByteStore, ByteTier, ObjectStore, ObjectTier } from "../../Tier.ts"
import { neverPlain } from "../memory/memoryStore.ts"
import { steadyClock } from "../runtime/steadyClock.ts"

const policy = Policy.make({ freshFor: "Infinity" })

export const nestedObjects = (tier: ObjectTier): ByteTier => ({
  kind: "bytes",
  name: tier.name,
  scope: tier.scope,
  abilities: { notifies: false },
  open: ({ larder }) =>
    Effect.gen(function* () {
      const clock = yield* steadyClock
      const store = yield* tier.open({ larder, onEvicted: () => {} })
      return byteStore(store, () => clock.currentTimeMillisUnsafe())
    }),
})

/** The weight of an envelope. If `weigh` throws, undefined, and the entry at the key is deleted. */
const weighed = (store: ObjectStore, key: string, envelope: Uint8Array): number | undefined => {
  try {
    return store.weigh(envelope, key)
  } catch {
    store.delete(key)
    return undefined
  }
}

const byteStore = (store: ObjectStore, now: () => number): ByteStore => {
  const bytesAt = (key: string): Uint8Array | undefined => {
    const slot = store.find(key)
    if (slot === 0) return undefined
    const held = store.at(slot)
    if (held.entry.staleUntil <= now()) return undefined
    store.hit(slot)
    return held.entry.value as Uint8Array
  }
  const versionAt = (key: string): number => store.peek(key)?.entry.version ?? -1
  return {
    read: (keys) => Effect.sync(() => keys.map(bytesAt)),
    put: (key, envelope, lifeMillis) =>
      Effect.sync(() => {
        const version = Envelope.version(envelope) ?? 0
        if (versionAt(key) > version) return false
        const at = now()
        const staleUntil = after(at, lifeMillis)
        const entry = {
          value: envelope,
          storedAt: at,
          freshUntil: staleUntil,
          revalidateUntil: staleUntil,
          staleUntil,
          loadMillis: 0,
          version,
          asOf: 0,
          tags: [],
        }
        const held = {
          key,
          entry,
          exit: Exit.void,
          asked: key,
          policy,
          freshCap: Infinity,
          gapsBefore: 0,
          confirmedAt: 0,
          isProvisional: false,
        }
        const weight = weighed(store, key, envelope)
        return weight !== undefined && store.put(held, weight, neverPlain, at)
      }),
    drop: (key, version) =>
      Effect.sync(() => {
        if (versionAt(key) <= version) store.delete(key)
      }),
    keys: (prefix) =>
      Effect.sync(() => {
        const keys: Array<string> = []
        for (const { key } of store.entries()) if (key.startsWith(prefix)) keys.push(key)
        return { keys, next: undefined }
      }),
    arbiter: undefined,
  }
}
