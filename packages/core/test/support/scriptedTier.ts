/** A shared tier whose operations are noted, and of which tests replace single ones. */
import { MemoryTier, Tier } from "@larder/core"
import { Clock, Effect, Layer } from "effect"

type Operations = Omit<
  { readonly [O in keyof Tier.Arbiter]-?: NonNullable<Tier.Arbiter[O]> },
  "listen"
> &
  Pick<Tier.ByteStore, "read" | "put" | "drop">

type Listen = NonNullable<Tier.Arbiter["listen"]>

export type Operation = keyof Operations

export interface Call<O extends Operation = Operation> {
  readonly operation: O
  readonly args: Parameters<Operations[O]>
  /** The time of the request by the tier's clock. */
  readonly at: number
}

export class Script {
  readonly calls: Array<Call> = []
  /** Replacements of operations; each gets the original operation. */
  instead: { [O in Operation]?: (real: Operations[O]) => Operations[O] } = {}

  /** Messages do not arrive. Read when a larder opens. */
  isDeaf = false
  /** The arbiter tells no versions without their entries. Read when a larder opens. */
  isWithoutVersions = false
  /** Messages that are published from now on are lost. */
  isLosing = false
  readonly #receivers = new Set<(message: Tier.Message) => void>()

  /** Sends a message to every larder that listens. */
  say(message: Tier.Message): void {
    for (const receive of this.#receivers) receive(message)
  }

  /** The messages of a tier, which this script may lose, and its own. */
  listen(real: Listen): Listen {
    return (receive) => {
      const own = Effect.acquireRelease(
        Effect.sync(() => this.#receivers.add(receive)),
        () => Effect.sync(() => this.#receivers.delete(receive)),
      )
      const pass = (message: Tier.Message) => {
        if (!this.isLosing) receive(message)
      }
      return Effect.andThen(own, real(pass))
    }
  }

  /** The calls of one operation so far. */
  of<O extends Operation>(operation: O): ReadonlyArray<Call<O>> {
    return this.calls.filter((call): call is Call<O> => call.operation === operation)
  }

  /** The names of the operations that were asked for since the last time. */
  trips(): ReadonlyArray<Operation> {
    return this.calls.splice(0).map(({ operation }) => operation)
  }
}

/** For `instead`: the original operation, delayed by this much. */
export const slowly =
  (millis: number) =>
  <A extends ReadonlyArray<unknown>, B, E>(real: (...args: A) => Effect.Effect<B, E>) =>
  (...args: A): Effect.Effect<B, E> =>
    Effect.delay(real(...args), millis)

const noting = <O extends Operation>(
  script: Script,
  operation: O,
  real: Operations[O],
): Operations[O] =>
  ((...args: Parameters<Operations[O]>) =>
    Effect.flatMap(Clock.currentTimeMillis, (at) => {
      script.calls.push({ operation, args, at })
      const instead = script.instead[operation]
      const chosen = instead === undefined ? real : instead(real)
      return (chosen as (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, never>)(...args)
    })) as unknown as Operations[O]

const batchesOf = (script: Script, { acquireAll, commitAll }: Tier.Arbiter) => ({
  acquireAll: acquireAll && noting(script, "acquireAll", acquireAll),
  commitAll: commitAll && noting(script, "commitAll", commitAll),
})

const arbiterOf = (
  script: Script,
  arbiter: Tier.Arbiter,
  takes: "each" | "batches",
): Tier.Arbiter => ({
  ...(takes === "batches" ? batchesOf(script, arbiter) : undefined),
  acquire: noting(script, "acquire", arbiter.acquire),
  renew: noting(script, "renew", arbiter.renew),
  release: noting(script, "release", arbiter.release),
  commit: noting(script, "commit", arbiter.commit),
  write: noting(script, "write", arbiter.write),
  mark: noting(script, "mark", arbiter.mark),
  marks: noting(script, "marks", arbiter.marks),
  versions:
    script.isWithoutVersions || arbiter.versions === undefined
      ? undefined
      : noting(script, "versions", arbiter.versions),
  listen: script.isDeaf ? () => Effect.void : arbiter.listen && script.listen(arbiter.listen),
})

/**
 * A shared tier of its own; as a file, one of this machine that orders nothing. Takes leases
 * and commits key by key, unless it takes batches.
 */
export const layer = (
  script: Script,
  kind: "shared" | "file" = "shared",
  takes: "each" | "batches" = "each",
): Layer.Layer<Tier.Tier> =>
  Layer.effect(
    Tier.Tier,
    Effect.map(Tier.Tier, (tier) => {
      if (tier.kind !== "bytes") throw new Error("the shared tier keeps bytes")
      const file = { name: "file", scope: "machine" } as const
      return {
        ...tier,
        ...(kind === "file" ? file : undefined),
        open: (options: { readonly larder: string }) =>
          Effect.map(tier.open(options), (store) => ({
            ...store,
            read: noting(script, "read", store.read),
            put: noting(script, "put", store.put),
            drop: noting(script, "drop", store.drop),
            arbiter:
              kind === "file" || store.arbiter === undefined
                ? undefined
                : arbiterOf(script, store.arbiter, takes),
          })),
      }
    }),
  ).pipe(Layer.provide(Layer.fresh(MemoryTier.layerShared)))
