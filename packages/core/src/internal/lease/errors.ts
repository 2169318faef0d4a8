/** What can go wrong with a lease alone. */
import * as Schema from "effect/Schema"

/**
 * Another holder has the lease, for `leftMillis` (ms) at most unless it renews the lease.
 *
 * **Example**
 *
 * ```ts
 * import { Lease, MemoryTier } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const once = Lease.withLease("report", { lease: "30 seconds" })
 * const program = once(() => Effect.flip(once(() => Effect.void)))
 * const error = await Effect.runPromise(Effect.provide(program, MemoryTier.layerShared))
 * assert.ok(error instanceof Lease.LeaseNotAcquired)
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class LeaseNotAcquired extends Schema.TaggedError<LeaseNotAcquired>()("LeaseNotAcquired", {
  key: Schema.String,
  leftMillis: Schema.Finite,
}) {
  override get message(): string {
    return `another holder has the lease ${JSON.stringify(this.key)}, for ${Math.ceil(this.leftMillis)} ms at most unless it renews it`
  }
}

/**
 * The lease was lost while the effect ran: its time was over before a renewal was confirmed, or the
 * tier no longer has it. Another may hold it by now. The effect was interrupted.
 *
 * **Example**
 *
 * ```ts
 * import { Lease } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const error = new Lease.LeaseLost({ key: "report", token: 7 })
 * assert.strictEqual(error._tag, "LeaseLost")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class LeaseLost extends Schema.TaggedError<LeaseLost>()("LeaseLost", {
  key: Schema.String,
  token: Schema.Finite,
}) {
  override get message(): string {
    return `the lease ${JSON.stringify(this.key)} with token ${this.token} was lost; another may hold it`
  }
}
