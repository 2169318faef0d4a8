/** The writes of one outbox in Redis. */
import { type OutboxRow, OutboxStore } from "@larder/core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { createHash } from "node:crypto"
import type { Client } from "../../RedisClient.ts"
import { outboxPollMillis, subscribeMillis } from "../limits.ts"
import { count, list, text } from "../replies.ts"
import { UnexpectedReply } from "../scripts/failures.ts"
import { type Argument, run, type Script } from "../scripts/run.ts"
import * as scripts from "./scripts.ts"

const script = (text: string): Script => ({
  text,
  sha: createHash("sha1").update(text).digest("hex"),
})

const offer = script(scripts.offer)
const rows = script(scripts.rows)
const claim = script(scripts.claim)
const held = script(scripts.held)
const bury = script(scripts.bury)
const revive = script(scripts.revive)
const discard = script(scripts.discard)
const dead = script(scripts.dead)
const depth = script(scripts.depth)

/** The largest number that a script gets for `Infinity`. */
const unbounded = Number.MAX_SAFE_INTEGER

const bounded = (number: number): number => Math.min(Math.ceil(number), unbounded)

const flag = (is: boolean): string => (is ? "1" : "0")

/** `[version, is a value, payload, since]`, as the scripts put them. */
const writeOf = (parts: ReadonlyArray<unknown>): OutboxRow.Waiting | undefined => {
  const [version, isValue, payload, since] = parts
  const numbers = { version: count(version), since: count(since) }
  if (numbers.version === undefined || numbers.since === undefined) return undefined
  return {
    version: numbers.version,
    payload: count(isValue) === 1 ? text(payload) : undefined,
    since: numbers.since,
  }
}

const inFlightOf = (parts: ReadonlyArray<unknown>): OutboxRow.InFlight | undefined => {
  const write = writeOf(parts)
  const [, , , , attempts, held, readyAt] = parts
  const of = text(held)
  return (
    write && {
      ...write,
      attempts: count(attempts) ?? 0,
      claim: of === "" ? undefined : of,
      readyAt: count(readyAt) ?? 0,
    }
  )
}

const deadOf = (parts: ReadonlyArray<unknown>): OutboxRow.DeadLetter | undefined => {
  const write = writeOf(parts)
  return write && { ...write, attempts: count(parts[4]) ?? 0, why: text(parts[5]) ?? "" }
}

const offeredOf = (answer: unknown): OutboxRow.Offered | undefined => {
  const [tag, ...parts] = list(answer)
  switch (text(tag)) {
    case "Accepted":
      return { _tag: "Accepted" }
    case "Superseded":
      return { _tag: "Superseded" }
    case "Full":
      return { _tag: "Full" }
    case "Unmerged":
      return {
        _tag: "Unmerged",
        writes: [parts.slice(0, 4), parts.slice(4)].flatMap((each) => writeOf(each) ?? []),
      }
    default:
      return undefined
  }
}

const allOf = <A>(parts: ReadonlyArray<A | undefined>): ReadonlyArray<A> | undefined => {
  const all = parts.filter((part) => part !== undefined)
  return all.length === parts.length ? all : undefined
}

const claimsOf = (reply: unknown): OutboxStore.Claims | undefined => {
  const [tag, first, ...others] = list(reply)
  if (text(tag) === "Next") return { writes: [], nextMillis: count(first) }
  const held = text(first)
  if (text(tag) !== "Claimed" || held === undefined) return undefined
  const writes = allOf(
    others.map((other) => {
      const [key, ...parts] = list(other)
      const write = writeOf(parts)
      const of = text(key)
      if (write === undefined || of === undefined) return undefined
      return { key: of, ...write, attempts: count(parts[4]) ?? 0, claim: held }
    }),
  )
  return writes && { writes, nextMillis: undefined }
}

const argumentsOf = (claims: ReadonlyArray<OutboxStore.Claimed>): ReadonlyArray<Argument> =>
  claims.flatMap(({ claim, key, version }) => [key, version, claim])

export interface Options extends OutboxStore.OpenOptions {
  readonly name: string
  readonly prefix: string
}

export const storeOf = (
  redis: Client,
  { maxPending, merges, name, outbox, prefix }: Options,
): OutboxStore.Store => {
  const keys = scripts.keysOf(prefix, outbox)
  const channel = scripts.channelOf(prefix, outbox)
  const fail = (operation: string, cause: unknown) =>
    new OutboxStore.OutboxStoreError({ store: name, operation, cause })
  const ask = <A>(
    operation: string,
    script: Script,
    args: ReadonlyArray<Argument>,
    parse: (reply: unknown) => A | undefined,
  ): Effect.Effect<A, OutboxStore.OutboxStoreError> =>
    redis
      .use((client) => run(client, script, keys, args, () => true))
      .pipe(
        Effect.mapError((cause) => fail(operation, cause)),
        Effect.flatMap((reply) => {
          const parsed = parse(reply)
          return parsed === undefined
            ? Effect.fail(fail(operation, new UnexpectedReply({ reply })))
            : Effect.succeed(parsed)
        }),
      )
  const step = (
    operation: "renew" | "done" | "retry",
    claims: ReadonlyArray<OutboxStore.Claimed>,
    millis: number,
  ) =>
    claims.length === 0
      ? Effect.succeed(0)
      : ask(operation, held, [operation, bounded(millis), ...argumentsOf(claims)], count)
  const isOne = (reply: unknown) => (count(reply) === undefined ? undefined : count(reply) === 1)

  return {
    offer: (offers) =>
      ask(
        "offer",
        offer,
        [
          bounded(maxPending),
          flag(merges),
          channel,
          ...offers.flatMap(({ key, merged, payload, version }) => [
            key,
            version,
            flag(payload !== undefined),
            payload ?? "",
            merged.join(","),
          ]),
        ],
        (reply) => allOf(list(reply).map(offeredOf)),
      ),
    rows: (asked) =>
      ask("rows", rows, asked, (reply) => {
        const found = allOf(
          list(reply).map((each) => {
            const [key, waiting, inFlight, dead] = list(each)
            const of = text(key)
            if (of === undefined) return undefined
            const row: OutboxRow.Row = {
              waiting: writeOf(list(waiting)),
              inFlight: inFlightOf(list(inFlight)),
              dead: deadOf(list(dead)),
            }
            return [of, row] as const
          }),
        )
        return found && new Map(found)
      }),
    claim: ({ lockMillis, max, minAgeMillis, minCount }) =>
      ask(
        "claim",
        claim,
        [bounded(max), bounded(lockMillis), bounded(minCount), bounded(minAgeMillis), flag(merges)],
        claimsOf,
      ),
    renew: (claims, lockMillis) => step("renew", claims, lockMillis),
    done: (claims) => Effect.asVoid(step("done", claims, 0)),
    retry: (claims, delayMillis) => Effect.asVoid(step("retry", claims, delayMillis)),
    bury: ({ claim, key, version }, { merged, why }) =>
      ask(
        "bury",
        bury,
        [
          key,
          version,
          claim,
          why,
          flag(merges),
          ...(merged === undefined
            ? []
            : [merged.version, flag(merged.payload !== undefined), merged.payload ?? ""]),
        ],
        isOne,
      ),
    revive: (key) => ask("revive", revive, [key, channel], isOne),
    discard: (key) => ask("discard", discard, [key], isOne),
    dead: (after, max) =>
      ask("dead", dead, [after === undefined ? "-" : `(${after}`, bounded(max)], (reply) =>
        allOf(
          list(reply).map((each) => {
            const [key, ...parts] = list(each)
            const of = text(key)
            const letter = deadOf(parts)
            return of === undefined || letter === undefined ? undefined : { key: of, ...letter }
          }),
        ),
      ),
    depth: ask("depth", depth, [], (reply) => {
      const [waiting, inFlight, dead, oldestMillis] = list(reply).map(count)
      if (waiting === undefined || inFlight === undefined) return undefined
      if (dead === undefined || oldestMillis === undefined) return undefined
      return { waiting, inFlight, dead, oldestMillis }
    }),
    listen: (wake) => listen(redis, channel, wake),
  }
}

/** Hears the offers of all processes. Where the server refuses the channel, asks from time to time. */
const listen = (redis: Client, channel: string, wake: (waiting: number) => void) =>
  Effect.gen(function* () {
    const events = yield* redis.subscribe(channel, { keepsAlive: false })
    // Offers before it are not heard of. Without an answer in time, `heard` takes it when it comes.
    yield* Effect.ignore(Effect.timeout(Queue.peek(events), subscribeMillis))
    const heard = Effect.flatMap(Queue.take(events), (event) =>
      Effect.sync(() => {
        // After a lost connection offers may have been missed: any number makes the flusher ask.
        if (event._tag === "Subscribed") wake(1)
        if (event._tag === "Message") wake(Number(event.message))
      }),
    )
    const poll = Effect.andThen(
      Effect.sleep(Duration.millis(outboxPollMillis)),
      Effect.sync(() => wake(1)),
    )
    const ended = (cause: unknown) =>
      Effect.andThen(
        Effect.logWarning(
          `${channel}: offers of other processes are not heard of, so the flusher asks once a second; let the user subscribe to this channel: ${String(cause)}`,
        ),
        Effect.forever(poll),
      )
    yield* Effect.forkScoped(Effect.catch(Effect.forever(heard), ended), {
      startImmediately: true,
    })
  })
