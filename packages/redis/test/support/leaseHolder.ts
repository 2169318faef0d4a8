/** Holds a lease until it is lost: `node leaseHolder.ts OPTIONS`. Prints `held TOKEN`, then how it ended. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type * as RedisClientOptions from "../../src/RedisClient.ts"
import * as RedisClient from "../../src/RedisClient.ts"
import * as RedisLease from "../../src/RedisLease.ts"

const options = JSON.parse(process.argv[2] ?? "{}") as RedisClientOptions.Options

const held = RedisLease.withLease("job", { lease: "1 second" })((token) =>
  Effect.andThen(Console.log(`held ${token}`), Effect.never),
)

await Effect.runPromise(
  held.pipe(
    Effect.catch((error) => Console.log(`ended ${error._tag}`)),
    Effect.provide(RedisClient.layer(options)),
  ),
)
