import { Tier } from "@larder/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as conformance from "../../../testing/src/internal/conformance/subject.ts"
import { SqliteTier } from "../../src/index.ts"

export const life = 1_000_000_000

/** A value as a larder would store it. */
export const envelope = (text: string, version = 0): Uint8Array =>
  conformance.envelope(text, 0, { version, freshFor: life, staleFor: life })

/** The tier and its notices, in the scope of the test. */
export const tierOn = (options: SqliteTier.Options) =>
  Effect.map(
    Layer.build(Layer.provide(Layer.fresh(SqliteTier.layer(options)), Logger.layer([]))),
    (context) => {
      const tier = Context.get(context, Tier.Tier)
      if (tier.kind !== "bytes") throw new Error("a byte tier")
      return tier
    },
  )

export const open = (tier: Tier.ByteTier, larder = "products") =>
  Effect.gen(function* () {
    const notices: Array<Tier.Notice> = []
    const store = yield* tier.open({ larder, notify: (notice) => void notices.push(notice) })
    const arbiter = store.arbiter!
    const text = (key: string) =>
      Effect.map(store.read([key]), ([bytes]) => conformance.textOf(bytes))
    return {
      store,
      arbiter,
      notices,
      text,
      put: (key: string, text: string, version: number, lifeMillis = life) =>
        store.put(key, envelope(text, version), lifeMillis),
      set: (key: string, text: string) =>
        Effect.map(
          arbiter.write(key, { _tag: "Set", envelope: envelope(text), lifeMillis: life }, 0),
          ({ version }) => version,
        ),
    }
  })

export const openOn = (options: SqliteTier.Options, larder?: string) =>
  Effect.flatMap(tierOn(options), (tier) => open(tier, larder))

export const warnings = (notices: ReadonlyArray<Tier.Notice>): ReadonlyArray<string> =>
  notices.flatMap((notice) => (notice._tag === "Warning" ? [notice.message] : []))
