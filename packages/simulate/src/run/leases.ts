/** Plays one call for a lease, and records when its work runs. */
import { Lease, Tier } from "@larder/core"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { LeaseCall, LeaseEnd, Life } from "../history/History.ts"
import type { Recorder } from "../history/Recorder.ts"
import type { LeaseStep } from "../plan/Plan.ts"

/** A process that asks for leases. */
interface Lessee {
  readonly life: Life
  readonly lessor: Tier.ByteTier
  readonly job: (effect: Effect.Effect<unknown, unknown>) => void
}

const endOf = (exit: Exit.Exit<Option.Option<void>, unknown>): LeaseEnd => {
  if (Exit.isSuccess(exit)) return Option.isSome(exit.value) ? "done" : "left"
  if (Cause.hasInterruptsOnly(exit.cause)) return "left"
  const error = Cause.squash(exit.cause)
  if (error instanceof Lease.LeaseNotAcquired) return "notAcquired"
  if (error instanceof Lease.LeaseLost) return "lost"
  return error instanceof Tier.TierError ? "unanswered" : "other"
}

/** The work, which can be interrupted at any time. */
const working =
  (recorder: Recorder, call: LeaseCall) =>
  (token: number): Effect.Effect<void> =>
    Effect.suspend(() => {
      const tenure = recorder.holds(call, token)
      return Effect.ensuring(
        Effect.sleep(call.work),
        Effect.sync(() => recorder.yields(tenure)),
      )
    })

export const startLease = (recorder: Recorder, node: Lessee, step: LeaseStep): void => {
  const { lease, leavesAfter = Infinity, name, wait, work } = step
  const call = recorder.lease({ name, life: node.life, lease, wait, work })
  const held = Lease.withLease(name, { lease, wait })(working(recorder, call)).pipe(
    Effect.provideService(Tier.Tier, node.lessor),
    Effect.timeoutOption(leavesAfter),
    Effect.onExit((exit) => Effect.sync(() => recorder.leaseEnded(call, endOf(exit)))),
  )
  node.job(held)
}
