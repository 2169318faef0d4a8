/** Sees to it that there is a Redis server to test against, or says that there is none. */
import * as RedisServer from "@larder/testing/RedisServer"
import { seeTo } from "../../../testing/test/support/debianServer.ts"

export default (): Promise<void> =>
  seeTo({
    find: RedisServer.find,
    program: "redis-server",
    name: "redis-server",
    tests: "the tests that talk to Redis",
    remedy: "Install Redis or Valkey, or name its program in LARDER_REDIS_SERVER.",
    variable: "LARDER_REDIS_SERVER",
    required: "LARDER_REQUIRE_REDIS",
  })
