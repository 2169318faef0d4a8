/** One question to Redis: one trip, and a typed failure that says which operation it was. */
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

/** How long a step is taken to last where the larder does not say. */
const defaultStep = 500
/** What fails at the end of its window fails before the step does, so that the larder hears why, in ms. */
const margin = 2

const sleepUntil = (moment: number): Effect.Effect<void> =>
  Effect.flatMap(monotonic, (now) => (now < moment ? Effect.sleep(moment - now) : Effect.void))

/** Not where nothing was sent, or Redis itself said no. */
const mayBeDone = (cause: unknown): boolean =>
  cause instanceof UnexpectedReply ||
  (cause instanceof RedisClientError && possiblySent.has(cause.reason))

const possiblySent: ReadonlySet<RedisClientError["reason"]> = new Set(["Timeout", "Lost", "Failed"])

export class Asking {
  readonly tier: string
  readonly #redis: Client
  readonly #clocks: Clocks
  readonly #window: number

  /** `stepMillis`: after so long whoever asks gives up. */
  constructor(tier: string, redis: Client, clocks: Clocks, stepMillis: number = defaultStep) {
    this.tier = tier
    this.#redis = redis
    this.#clocks = clocks
    this.#window = Math.max(stepMillis - margin, stepMillis / 2)
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
   * As `script` for many calls at once: an answer for each of them, in their order;
   * `undefined` for a call that has none of its own. Fails where none has.
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
   * As `script`, for what must not be done when whoever asked has given up: its first
   * argument is the server's time at that moment. Redis refuses what comes too late, and
   * tells its time. Where that was not known, the question is asked once more.
   *
   * Race: the connection ends, the step fails, another node changes the key, and then the
   * server reads what had been sent. So a failure after which it may still be done is told
   * when it can be done no more.
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
   * As `change`, for a lease: one that nobody waits for costs other nodes time, but overtakes
   * nothing. So whoever still waits for the answer asks once more, in a time of its own.
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

  /** As `lease` for many calls on one server: those that were refused are asked once more, together. */
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
      // Of the call that was made first: it was the least time on its way.
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
      // By the later of two times: many answers take a while to be read, and to be told from each other.
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
