/** The shared tier in this process, behind a line that can be made sick. */
import { MemoryTier, Tier } from "@larder/core"
import { Effect, Layer } from "effect"

export type Health = "well" | "slow" | "failing" | "hanging"

export class Line {
  health: Health = "well"
  /** Operations that are sick; all where undefined. */
  sick: ReadonlyArray<string> | undefined
  slowMillis = 5
  readonly trips: Array<string> = []

  through<A>(operation: string, effect: Effect.Effect<A, Tier.TierError>) {
    return Effect.suspend((): Effect.Effect<A, Tier.TierError> => {
      this.trips.push(operation)
      if (this.sick !== undefined && !this.sick.includes(operation)) return effect
      switch (this.health) {
        case "well":
          return effect
        case "slow":
          return Effect.andThen(Effect.sleep(this.slowMillis), effect)
        case "failing":
          return Effect.fail(new Tier.TierError({ tier: "shared", operation, cause: "down" }))
        case "hanging":
          return Effect.never
      }
    })
  }
}

const arbiterThrough = (line: Line, arbiter: Tier.Arbiter): Tier.Arbiter => ({
  acquire: (...args) => line.through("acquire", arbiter.acquire(...args)),
  renew: (...args) => line.through("renew", arbiter.renew(...args)),
  release: (...args) => line.through("release", arbiter.release(...args)),
  commit: (...args) => line.through("commit", arbiter.commit(...args)),
  write: (...args) => line.through("write", arbiter.write(...args)),
  mark: (...args) => line.through("mark", arbiter.mark(...args)),
  marks: (...args) => line.through("marks", arbiter.marks(...args)),
  messages: arbiter.messages,
})

const storeThrough = (line: Line, store: Tier.ByteStore): Tier.ByteStore => ({
  read: (keys) => line.through("read", store.read(keys)),
  put: (...args) => line.through("put", store.put(...args)),
  drop: (...args) => line.through("drop", store.drop(...args)),
  arbiter: store.arbiter && arbiterThrough(line, store.arbiter),
})

/** A shared tier of its own, reached through `line`. */
export const faultyShared = (line: Line): Layer.Layer<Tier.Tier> =>
  Layer.effect(
    Tier.Tier,
    Effect.map(Tier.Tier, (tier) =>
      tier.kind === "objects"
        ? tier
        : {
            ...tier,
            open: (options: { readonly larder: string }) =>
              Effect.map(tier.open(options), (store) => storeThrough(line, store)),
          },
    ),
  ).pipe(Layer.provide(Layer.fresh(MemoryTier.layerShared)))
