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
  /** How much the server's clock is ahead of this node's, at most; not known before its first answer. */
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
    const ask = Effect.flatMap(Clock.currentTimeMillis, (sent) => {
      const latest = Math.max(0, Math.floor(sent + this.#ahead + patience))
      const asked = this.script(
        operation,
        script,
        keys,
        [latest, ...args],
        (reply) => refusalOf(reply) ?? parse(reply),
        unheard,
      )
      return Effect.flatMap(asked, (answer) => {
        this.hear(answer, sent)
        return "refused" in answer
          ? Effect.fail(this.fail(operation, new Late()))
          : Effect.succeed(answer)
      })
    })
    return Effect.retry(ask, { times: 1, while: ({ cause }) => cause instanceof Late })
  }

  /** An answer to what was sent at that time of this node. */
  hear({ time }: Timed, sent: number): void {
    this.#ahead = time - sent
  }
}
