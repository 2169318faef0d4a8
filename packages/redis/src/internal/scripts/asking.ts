/** One request to Redis: one trip, and a typed failure that names the operation. */
import { Tier } from "@larder/core"
import type { Cluster, Redis } from "ioredis"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Client } from "../../RedisClient.ts"
import { RedisClientError } from "../client/errors.ts"
import { count, list, text } from "../replies.ts"
import { type Argument, type Call, type Reply, run, runAll, type Script } from "./run.ts"
import { type Clocks, unknown } from "./clocks.ts"
import { Late, UnexpectedReply } from "./failures.ts"
import { assumedStepMillis, marginMillis } from "../limits.ts"

/** An answer with the server's time. */
interface Timed {
  readonly time: number
}

interface Refusal extends Timed {
  readonly refused: true
}

const refusalOf = (reply: unknown): Refusal | undefined => {
  const [tag, at] = list(reply)
  const time = text(tag) === "Late" ? count(at) : undefined
  return time === undefined ? undefined : { refused: true, time }
}

const isRefusal = (answer: unknown): answer is Refusal =>
  typeof answer === "object" && answer !== null && "refused" in answer

const inTime = <A>(answer: A | Refusal | undefined): A | undefined =>
  isRefusal(answer) ? undefined : answer

const monotonic = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1_000_000)

const sleepUntil = (moment: number): Effect.Effect<void> =>
  Effect.flatMap(monotonic, (now) => (now < moment ? Effect.sleep(moment - now) : Effect.void))

/** Whether Redis may have run the request: false when nothing was sent, or when Redis refused it. */
const mayBeDone = (cause: unknown): boolean =>
  cause instanceof UnexpectedReply ||
  (cause instanceof RedisClientError && possiblySent.has(cause.reason))

const possiblySent: ReadonlySet<RedisClientError["reason"]> = new Set(["Timeout", "Lost", "Failed"])

export class Asking {
  readonly tier: string
  readonly #redis: Client
  readonly #clocks: Clocks
  readonly #window: number

  /** `stepMillis`: the timeout of the caller's step. */
  constructor(tier: string, redis: Client, clocks: Clocks, stepMillis: number = assumedStepMillis) {
    this.tier = tier
    this.#redis = redis
    this.#clocks = clocks
    this.#window = Math.max(stepMillis - marginMillis, stepMillis / 2)
  }

  get redis(): Client {
    return this.#redis
  }

  fail(operation: string, cause: unknown): Tier.TierError {
    return new Tier.TierError({ tier: this.tier, operation, cause })
  }

  /**
   * Runs a script; `parse` returns `undefined` for an unexpected reply. `unheard` receives a reply
   * that arrives after the caller stopped waiting.
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
   * As `script` for many calls at once. Returns one answer per call, in order, and `undefined` for
   * a call without one. Fails when no call has one.
   */
  scriptAll<A>(
    operation: string,
    script: Script,
    calls: ReadonlyArray<Call>,
    parse: (reply: unknown) => A | undefined,
    unheard?: (answers: ReadonlyArray<A | undefined>, client: Redis | Cluster) => void,
  ): Effect.Effect<ReadonlyArray<A | undefined>, Tier.TierError> {
    return Effect.suspend(() => {
      if (calls.length === 0) return Effect.succeed([])
      let isWaiting = true
      const parsed = (reply: Reply) => ("error" in reply ? undefined : parse(reply.value))
      const asked = this.#redis.use((client) =>
        runAll(client, script, calls, () => isWaiting).then((replies) => {
          const answers = replies.map(parsed)
          if (!isWaiting) unheard?.(answers, client)
          return { answers, replies }
        }),
      )
      const leave = Effect.sync(() => {
        isWaiting = false
      })
      return Effect.matchEffect(Effect.ensuring(asked, leave), {
        onFailure: (cause: RedisClientError) => Effect.fail(this.fail(operation, cause)),
        onSuccess: ({ answers, replies }) => {
          if (answers.some((answer) => answer !== undefined)) return Effect.succeed(answers)
          const first = replies.find((reply) => "value" in reply)
          const reply = first !== undefined && "value" in first ? first.value : undefined
          return Effect.fail(this.fail(operation, new UnexpectedReply({ reply })))
        },
      })
    })
  }

  /**
   * As `script`, for a change that must not happen after the caller gave up. Its first argument is
   * the server's time at that moment. Redis refuses a late request, and returns its time. When that
   * time was unknown, the request is sent once more.
   *
   * Race: the connection ends, the step fails, another node changes the key, and then the server
   * reads the first request. So a failure after which the server may still run the request is
   * returned only once it is too late to run.
   */
  change<A extends Timed>(
    operation: string,
    script: Script,
    keys: ReadonlyArray<string>,
    args: ReadonlyArray<Argument>,
    parse: (reply: unknown) => A | undefined,
  ): Effect.Effect<A, Tier.TierError> {
    const ask = this.#timely(operation, script, keys, args, parse)
    return Effect.flatMap(monotonic, (began) => {
      const until = began + this.#window
      const latest = this.#clocks.timeAt(this.#clocks.serverOf(keys), until)
      const again = ({ time }: Refusal) =>
        Effect.flatMap(monotonic, (now) => ask(time + Math.floor(until - now)))
      const asked = Effect.flatMap(ask(latest), (answer) =>
        isRefusal(answer) && latest === unknown ? again(answer) : Effect.succeed(answer),
      )
      return Effect.tapError(this.#orLate(operation, asked), ({ cause }) =>
        mayBeDone(cause) ? sleepUntil(until) : Effect.void,
      )
    })
  }

  /**
   * As `change`, for a lease. A lease without a waiter delays other nodes, but overtakes nothing.
   * So a refused caller asks once more, with a full window.
   */
  lease<A extends Timed>(
    operation: string,
    script: Script,
    keys: ReadonlyArray<string>,
    args: ReadonlyArray<Argument>,
    parse: (reply: unknown) => A | undefined,
    unheard: (reply: unknown, client: Redis | Cluster) => void,
  ): Effect.Effect<A, Tier.TierError> {
    const ask = this.#timely(operation, script, keys, args, parse, unheard)
    const asked = Effect.flatMap(monotonic, (now) =>
      ask(this.#clocks.timeAt(this.#clocks.serverOf(keys), now + this.#window)),
    )
    const again = Effect.flatMap(asked, (answer) =>
      isRefusal(answer) ? ask(answer.time + Math.floor(this.#window)) : Effect.succeed(answer),
    )
    return this.#orLate(operation, again)
  }

  /** As `lease` for many calls on one server; the refused calls are sent once more, together. */
  leaseAll<A extends Timed>(
    operation: string,
    script: Script,
    calls: ReadonlyArray<Call>,
    parse: (reply: unknown) => A | undefined,
    unheard: (answers: ReadonlyArray<A | undefined>, client: Redis | Cluster) => void,
  ): Effect.Effect<ReadonlyArray<A | undefined>, Tier.TierError> {
    const [first] = calls
    if (first === undefined) return Effect.succeed([])
    const orRefusal = (reply: unknown) => refusalOf(reply) ?? parse(reply)
    const ask = (calls: ReadonlyArray<Call>, latest: number) => {
      const asked = this.scriptAll(
        operation,
        script,
        calls.map(({ args, keys }) => ({ keys, args: [latest, ...args] })),
        orRefusal,
        (answers, client) => unheard(answers.map(inTime), client),
      )
      // The first call's time: it spent the least time on its way.
      const timed = Effect.map(asked, (answers) => {
        const time = answers.find((answer) => answer !== undefined)?.time ?? 0
        return { answers, time }
      })
      return this.heard(first.keys, timed)
    }
    const latestNow = Effect.map(monotonic, (now) =>
      this.#clocks.timeAt(this.#clocks.serverOf(first.keys), now + this.#window),
    )
    const asked = Effect.flatMap(latestNow, (latest) => ask(calls, latest))
    return Effect.flatMap(asked, ({ answers: all, time }) => {
      const late = Array.from(all.keys()).filter((place) => isRefusal(all[place]))
      const answers = all.map(inTime)
      if (late.length === 0) return Effect.succeed(answers)
      // Use the later of two times: reading and parsing many answers takes a while.
      const again = Effect.flatMap(latestNow, (latest) =>
        ask(
          late.map((place) => calls[place]!),
          Math.max(latest, time + Math.floor(this.#window)),
        ),
      )
      const done = Effect.flatMap(again, (second) => {
        for (const [i, place] of late.entries()) answers[place] = inTime(second.answers[i])
        return answers.some((answer) => answer !== undefined)
          ? Effect.succeed(answers)
          : Effect.fail(this.fail(operation, new Late()))
      })
      const giveUp = Effect.sync(() => unheard(answers, this.#redis.client))
      return Effect.onError(done, () => giveUp)
    })
  }

  #timely<A extends Timed>(
    operation: string,
    script: Script,
    keys: ReadonlyArray<string>,
    args: ReadonlyArray<Argument>,
    parse: (reply: unknown) => A | undefined,
    unheard?: (reply: unknown, client: Redis | Cluster) => void,
  ): (latest: number) => Effect.Effect<A | Refusal, Tier.TierError> {
    const orRefusal = (reply: unknown) => refusalOf(reply) ?? parse(reply)
    return (latest) =>
      this.heard(keys, this.script(operation, script, keys, [latest, ...args], orRefusal, unheard))
  }

  #orLate<A>(
    operation: string,
    asked: Effect.Effect<A | Refusal, Tier.TierError>,
  ): Effect.Effect<A, Tier.TierError> {
    return Effect.flatMap(asked, (answer) =>
      isRefusal(answer) ? Effect.fail(this.fail(operation, new Late())) : Effect.succeed(answer),
    )
  }

  /** Learns the server's time from the answer. */
  heard<A extends Timed>(
    keys: ReadonlyArray<string>,
    ask: Effect.Effect<A, Tier.TierError>,
  ): Effect.Effect<A, Tier.TierError> {
    return Effect.flatMap(monotonic, (sent) => {
      const server = this.#clocks.serverOf(keys)
      return Effect.flatMap(ask, (answer) =>
        Effect.map(monotonic, (received) => {
          this.#clocks.learn(server, answer.time, sent, received)
          return answer
        }),
      )
    })
  }
}
