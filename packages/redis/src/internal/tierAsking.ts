/** One question to Redis: one trip, and a typed failure that says which operation it was. */
import { Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import type { Client } from "../RedisClient.ts"
import type { RedisClientError } from "./clientErrors.ts"
import { type Argument, run, type Script } from "./scripts.ts"
import { UnexpectedReply } from "./tierFailures.ts"

export class Asking {
  readonly tier: string
  readonly #redis: Client

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

  /** Runs a script; `parse` gives `undefined` for a reply that is none of its replies. */
  script<A>(
    operation: string,
    script: Script,
    keys: ReadonlyArray<string>,
    args: ReadonlyArray<Argument>,
    parse: (reply: unknown) => A | undefined,
  ): Effect.Effect<A, Tier.TierError> {
    return Effect.matchEffect(
      this.#redis.use((client) => run(client, script, keys, args)),
      {
        onFailure: (cause: RedisClientError) => Effect.fail(this.fail(operation, cause)),
        onSuccess: (reply) => {
          const answer = parse(reply)
          return answer === undefined
            ? Effect.fail(this.fail(operation, new UnexpectedReply({ reply })))
            : Effect.succeed(answer)
        },
      },
    )
  }
}
