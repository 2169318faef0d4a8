/** Sees to it that there is a Postgres to test against, or says that there is none. */
import * as PostgresServer from "@larder/testing/PostgresServer"
import { seeTo } from "../../../testing/test/support/debianServer.ts"

export default (): Promise<void> =>
  seeTo({
    find: PostgresServer.find,
    program: "postgres",
    name: "postgresql",
    tests: "the tests that talk to Postgres",
    remedy: "Install PostgreSQL, or name the folder of its programs in LARDER_POSTGRES.",
    variable: "LARDER_POSTGRES",
    required: "LARDER_REQUIRE_POSTGRES",
  })
