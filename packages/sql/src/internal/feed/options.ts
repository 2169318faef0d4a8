/** The options of a feed, checked. */
import { InvalidOptions } from "@larder/core"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as KeyValueStore from "effect/persistence/KeyValueStore"
import type * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { pollBesideWakeUpsMillis, pollMillis, retentionMillis } from "../limits.ts"
import { defaultName, nameOf } from "../ddl/names.ts"

/**
 * Listens to a channel of the database: `listen` of `PgClient` from `@effect/sql-pg`, or a function of
 * the same shape. What the queue has does not matter; that it ends or fails means that the connection was
 * lost.
 *
 * @category models
 * @since 0.1.0
 */
export type Listen = (
  channel: string,
) => Effect.Effect<Queue.Dequeue<unknown, unknown>, unknown, Scope.Scope>

/**
 * Options of {@link stream}.
 *
 * @category options
 * @since 0.1.0
 */
export interface StreamOptions {
  /** The name of the change table, as {@link ddl} has it. Default `"larder_change"`. */
  readonly name?: string | undefined
  /** Its schema in Postgres, as {@link ddl} has it. Default `"public"`. */
  readonly schema?: string | undefined
  /**
   * The name under which the position is kept, so that a later run goes on where this one ends. One name
   * for each larder, or each node that reads for itself. Default: the position is not kept, and each run
   * begins with a `Gap`.
   */
  readonly consumer?: string | undefined
  /** Where positions are kept. Default: in a table beside the change table. */
  readonly positions?: KeyValueStore.KeyValueStore | undefined
  /** Wakes the reader: `pg.listen` of a `PgClient`. Default: the reader polls. */
  readonly listen?: Listen | undefined
  /**
   * How often the reader looks by itself, from 10 milliseconds. Default 1 second; 10 seconds with
   * `listen`.
   */
  readonly pollInterval?: Duration.Input | undefined
  /**
   * How long changes are kept: older ones are deleted, a few at a time. `Infinity` deletes none. Default
   * 7 days.
   */
  readonly retention?: Duration.Input | undefined
}

const names: Record<keyof StreamOptions, true> = {
  name: true,
  schema: true,
  consumer: true,
  positions: true,
  listen: true,
  pollInterval: true,
  retention: true,
}

export interface Settings {
  readonly name: string
  readonly schema: string
  readonly consumer: string | undefined
  readonly positions: KeyValueStore.KeyValueStore | undefined
  readonly listen: Listen | undefined
  readonly poll: number
  readonly retention: number
}

const leastPoll = 10

const invalid = (field: string, must: string, got: unknown) =>
  Result.fail(InvalidOptions.of({ module: "ChangeTable", field, must, got }))

export const settingsOf = (options: StreamOptions): Result.Result<Settings, InvalidOptions> =>
  Result.gen(function* () {
    const mistake = InvalidOptions.ofNames({ module: "ChangeTable", names, got: options })
    if (mistake !== undefined) return yield* Result.fail(mistake)
    const { consumer, listen, positions, retention = retentionMillis } = options
    const byDefault = listen === undefined ? pollMillis : pollBesideWakeUpsMillis
    const { pollInterval = byDefault } = options
    const name = yield* nameOf("name", options.name, defaultName)
    const schema = yield* nameOf("schema", options.schema, "public")
    if (consumer !== undefined && (typeof consumer !== "string" || consumer.trim() === "")) {
      return yield* invalid("consumer", 'be a non-blank string, such as "app/Products"', consumer)
    }
    if (positions !== undefined && consumer === undefined) {
      const must = "be left out without `consumer`, which names the position to keep"
      return yield* invalid("positions", must, "a store")
    }
    if (listen !== undefined && typeof listen !== "function") {
      return yield* invalid("listen", "be a function, such as `listen` of a PgClient", listen)
    }
    const poll = InvalidOptions.millisOf(pollInterval)
    if (poll === undefined || poll < leastPoll || poll === Infinity) {
      const must = 'be a finite duration of at least 10 milliseconds, such as "1 second"'
      return yield* invalid("pollInterval", must, pollInterval)
    }
    const kept = InvalidOptions.millisOf(retention)
    if (kept === undefined) {
      return yield* invalid("retention", 'be a duration of at least 0, such as "7 days"', retention)
    }
    return { name, schema, consumer, positions, listen, poll, retention: kept }
  })
