/** Leases at an arbiter: the right to look a key up, granted to one node at a time. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { AcquireRequest, Acquired, Arbiter, LeaseRequest, TierError } from "../../Tier.ts"
import { monotonicMillis } from "../runtime/monotonic.ts"
import type { SteadyClock } from "../runtime/steadyClock.ts"
import { mapAtOnce } from "../runtime/syncExit.ts"
import { Queues, byPart } from "./batches.ts"
import { Budget } from "./budget.ts"
import type { TierCodec } from "./codec.ts"
import type { TierParts } from "./parts.ts"
import type { TierTime } from "./tierClock.ts"
import { type TierMarks, besides } from "./tierMarks.ts"
import type { Ask, Surroundings } from "./tierOptions.ts"
import { type TierRead, allAtOnce } from "./tierRead.ts"
import { leasesAskedAtOnce } from "../runtime/limits.ts"

export type Granted =
  | { readonly _tag: "Newer"; readonly found: TierRead }
  | { readonly _tag: "Busy"; readonly leftMillis: number }
  | { readonly _tag: "Failed"; readonly leftMillis: number }
  | {
      readonly _tag: "Won"
      readonly token: number
      readonly storedVersion?: number | undefined
    }

export class TierLeases {
  readonly #arbiter: Arbiter | undefined
  readonly #ask: Ask
  readonly #clock: SteadyClock
  readonly #parts: TierParts
  readonly #time: TierTime
  readonly #marks: TierMarks
  readonly #codec: TierCodec
  readonly #queues = new Queues()

  constructor(
    clock: SteadyClock,
    { arbiter, ask, parts, time }: Surroundings,
    marks: TierMarks,
    codec: TierCodec,
  ) {
    this.#arbiter = arbiter
    this.#ask = ask
    this.#clock = clock
    this.#parts = parts
    this.#time = time
    this.#marks = marks
    this.#codec = codec
  }

  acquire(key: string, request: LeaseRequest, budget: Budget): Effect.Effect<Granted | undefined> {
    return Effect.suspend(() => {
      const asked = this.#ask((arbiter) => arbiter.acquire(key, request))
      const acquired = this.#acquired(this.#parts.of(key), asked, budget)
      return Effect.flatMap(acquired, (acquired): Effect.Effect<Granted | undefined> =>
        acquired === undefined ? Exit.succeed(undefined) : this.#granted(key, acquired),
      )
    })
  }

  /**
   * As `acquire` for many keys: one step in each part of the tier that has some of them. `undefined`
   * for a key whose part did not answer.
   */
  acquireAll(
    requests: ReadonlyArray<AcquireRequest>,
    budget: Budget,
  ): Effect.Effect<ReadonlyArray<Granted | undefined>> {
    const arbiter = this.#arbiter
    if (arbiter?.acquireAll === undefined || requests.length === 1) {
      return this.#acquireEach(requests, budget)
    }
    const { acquireAll } = arbiter
    return byPart(this.#parts, requests, keyOf, budget, (part, theirs, own) => {
      const steps = this.#parts.steps(part)
      const asked = this.#acquired(part, acquireAll(theirs), own)
      return Effect.flatMap(this.#queues.run(steps, theirs.length, asked), (acquired) =>
        allAtOnce(
          theirs.map(({ key }, i): Effect.Effect<Granted | undefined> => {
            const one = acquired?.[i]
            return one === undefined ? Exit.succeed(undefined) : this.#granted(key, one)
          }),
        ),
      )
    })
  }

  /** Whether {@link acquireAll} asks for the leases of many keys in one trip. */
  get leasesMany(): boolean {
    return this.#arbiter?.acquireAll !== undefined
  }

  renew(key: string, token: number, leaseMillis: number): Effect.Effect<boolean | undefined> {
    return this.#parts.stepsOf(key).run(
      "renew",
      this.#ask((arbiter) => arbiter.renew(key, token, leaseMillis)),
    )
  }

  release(key: string, token: number, failedMillis: number): Effect.Effect<void> {
    return this.#parts.stepsOf(key).run(
      "release",
      this.#ask((arbiter) => arbiter.release(key, token, failedMillis)),
    )
  }

  #acquired<A>(
    part: string,
    asked: Effect.Effect<A, TierError>,
    budget: Budget,
  ): Effect.Effect<A | undefined> {
    return Effect.suspend(() => {
      const isApart = !this.#marks.isKnown && this.#marks.areApart(part)
      const step = isApart ? asked : this.#marks.besideFirst(asked)
      const acquired = this.#parts.steps(part).run("acquire", step, budget)
      return isApart ? besides(acquired, this.#marks.read("page")) : acquired
    })
  }

  #acquireEach(
    requests: ReadonlyArray<AcquireRequest>,
    budget: Budget,
  ): Effect.Effect<ReadonlyArray<Granted | undefined>> {
    return Effect.suspend(() => {
      const clock = this.#clock
      const began = monotonicMillis(clock)
      // All requests share one budget, which the last ones may find used up.
      const left = () => budget.left - (monotonicMillis(clock) - began)
      return Effect.forEach(
        requests,
        ({ key, ...request }) =>
          Effect.suspend(() => this.acquire(key, request, new Budget(budget.whole, left()))),
        { concurrency: leasesAskedAtOnce },
      )
    })
  }

  #granted(key: string, acquired: Acquired): Effect.Effect<Granted> {
    switch (acquired._tag) {
      case "Newer":
        return mapAtOnce(this.#codec.found(key, acquired.envelope), (found) => ({
          _tag: "Newer" as const,
          found,
        }))
      case "Won":
        this.#time.wasGiven(acquired.token)
        return Effect.succeed(acquired)
      case "Busy":
      case "Failed":
        return Effect.succeed({ _tag: acquired._tag, leftMillis: acquired.leftMillis })
    }
  }
}

const keyOf = ({ key }: { readonly key: string }): string => key
