/** Runs the publisher in Python, where there is one. */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Data, Effect, Schema } from "effect"
import { larderName } from "./price.ts"

export class SupplierFailed extends Data.TaggedError("SupplierFailed")<{
  readonly cause: unknown
}> {
  override get message(): string {
    return `The publisher in Python has failed: ${String(this.cause)}`
  }
}

/** Whether the machine has a Python whose standard library has SQLite. */
export const hasPython: Effect.Effect<boolean> = Effect.callback((resume) => {
  execFile("python3", ["-c", "import sqlite3"], (error) => resume(Effect.succeed(error === null)))
})

const Told = Schema.fromJsonString(Schema.Struct({ at: Schema.Finite, heard: Schema.Finite }))

const program = fileURLToPath(new URL("./supplier.py", import.meta.url))

export interface Supplying {
  readonly database: string
  readonly redisUrl: string
  readonly channel: string
  readonly id: string
  readonly cents: number
}

/** Returns when the database had the price, and how many listen on the channel. */
export const supply = ({ cents, channel, database, id, redisUrl }: Supplying) => {
  const { hostname, port } = new URL(redisUrl)
  const args = [program, database, hostname, port || "6379", channel, larderName, id, `${cents}`]
  const said = Effect.callback<string, SupplierFailed>((resume) => {
    const child = execFile("python3", args, { timeout: 10_000 }, (cause, stdout) =>
      resume(cause === null ? Effect.succeed(stdout) : Effect.fail(new SupplierFailed({ cause }))),
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })
  return Effect.flatMap(said, (text) =>
    Effect.mapError(Schema.decodeEffect(Told)(text), (cause) => new SupplierFailed({ cause })),
  )
}
