/** One question to Redis: one trip, and a typed failure that says which operation it was. */
import { Tier } from "@larder/core"
import type { Cluster, Redis } from "ioredis"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Client } from "../RedisClient.ts"
import type { RedisClientError } from "./clientErrors.ts"
import { count, list, text } from "./replies.ts"
import { type Argument, run, type Script } from "./scripts.ts"
import { Late, UnexpectedReply } from "./tierFailures.ts"

/** How long what must not be done late may be on its way, in ms. */
const patience = 500

/** An answer with the server's time. */
interface Timed {
  readonly time: number
}

const refusalOf = (reply: unknown): (Timed & { readonly refused: true }) | undefined => {
  const [tag, at] = list(reply)
  const time = text(tag) === "Late" ? count(at) : undefined
  return time === undefined ? undefined : { refused: true, time }
}

export class Asking {
  readonly tier: string
  readonly #redis: Client
  /** At most; not known before the first answer. */
  #ahead = -Infinity

  constructor(tier: string, redis: Client) {
    this.tier = tier
    this.#redis = redis
  }

  get redis(): Client {
    return this.#redis
  }

  fail(operation: string, cause: unknown): Tier.TierError {
    return new Tier.TierError({ tier: this.tier, operation, cause })
  }

  /**
   * Runs a script; `parse` gives `undefined` for a reply that is none of its
   * replies. `unheard` gets the reply for which nobody waits any more.
   */
  script<A>(
    operation: string,
    script: Script,
    keys: ReadonlyArray<string>,
    args: ReadonlyArray<Argument>,
    parse: (reply: unknown) => A | undefined,
    unheard?: (reply: unknown, client: Redis | Cluster) => void,
  ): Effect.Effect<A, Tier.TierError> {
    return Effect.suspend(() => {
      let isWaiting = true
      const answer = this.#redis.use((client) =>
        run(client, script, keys, args, () => isWaiting).then((reply) => {
          if (!isWaiting) unheard?.(reply, client)
          return reply
        }),
      )
      const leave = Effect.sync(() => {
        isWaiting = false
      })
      return Effect.matchEffect(Effect.ensuring(answer, leave), {
        onFailure: (cause: RedisClientError) => Effect.fail(this.fail(operation, cause)),
        onSuccess: (reply) => {
          const parsed = parse(reply)
          return parsed === undefined
            ? Effect.fail(this.fail(operation, new UnexpectedReply({ reply })))
            : Effect.succeed(parsed)
        },
      })
    })
  }

  /**
   * As `script`, for what Redis refuses when it was held up. A refusal tells its
   * time: who still waits for the answer asks once more.
   */
  timely<A extends Timed>(
    operation: string,
    script: Script,
    keys: ReadonlyArray<string>,
    args: ReadonlyArray<Argument>,
    parse: (reply: unknown) => A | undefined,
    unheard?: (reply: unknown, client: Redis | Cluster) => void,
  ): Effect.Effect<A, Tier.TierError> {
    const ask = this.heard((latest) =>
      this.script(
        operation,
        script,
        keys,
        [latest, ...args],
        (reply) => refusalOf(reply) ?? parse(reply),
        unheard,
      ),
    )
    const done = Effect.flatMap(ask, (answer) =>
      "refused" in answer ? Effect.fail(this.fail(operation, new Late())) : Effect.succeed(answer),
    )
    return Effect.retry(done, { times: 1, while: ({ cause }) => cause instanceof Late })
  }

  /**
   * Learns from the answer how far the server's clock is ahead of the time that
   * never steps back; `latest` is until when, in the server's time, what is asked
   * now may be done.
   */
  heard<A extends Timed>(
    ask: (latest: number) => Effect.Effect<A, Tier.TierError>,
  ): Effect.Effect<A, Tier.TierError> {
    return Effect.flatMap(Clock.monotonicTimeNanos, (nanos) => {
      const sent = Number(nanos) / 1_000_000
      const latest = Math.max(0, Math.floor(sent + this.#ahead + patience))
      return Effect.map(ask(latest), (answer) => {
        this.#ahead = answer.time - sent
        return answer
      })
    })
  }
}
