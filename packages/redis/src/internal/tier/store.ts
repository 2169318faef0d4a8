/** The entries of one larder in Redis, and its leases. */
import { Arbitration, Envelope, type Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import { shardFor } from "../client/masters.ts"
import type { LarderKeys } from "../keys.ts"
import { bytes, count, list, text } from "../replies.ts"
import * as scripts from "../scripts/run.ts"
import type { Asking } from "../scripts/asking.ts"
import { NoEnvelope } from "../scripts/failures.ts"
import type { Marks } from "../marks/marks.ts"
import { type Found, read, readHeaders, storedOf } from "./reading.ts"

type Notify = ((notice: Tier.Notice) => void) | undefined

/** The latest time a header can hold. */
const farthest = 9_999_999_999_999

/** A lifetime as the scripts take it: whole milliseconds, or the word for no end. */
const lifeOf = (millis: number): string => {
  if (!(millis > 0)) return "0"
  return millis >= farthest ? "forever" : String(Math.max(1, Math.floor(millis)))
}

const spanOf = (millis: number): number =>
  millis > 0 ? Math.min(Math.max(1, Math.floor(millis)), farthest) : 0

/** Parses the reply of `acquire`, with the server's time, from which `Asking` learns. */
const acquiredOf = (reply: unknown): (Tier.Acquired & { readonly time: number }) | undefined => {
  const [tag, at, detail, last] = list(reply)
  const time = count(at)
  if (time === undefined) return undefined
  const _tag = text(tag)
  switch (_tag) {
    case "Newer": {
      const envelope = bytes(detail)
      return envelope && { _tag, envelope, time }
    }
    case "Busy":
    case "Failed": {
      const leftMillis = count(detail)
      return leftMillis === undefined ? undefined : { _tag, leftMillis, time }
    }
    case "Won": {
      const [token, storedVersion] = [count(detail), count(last)]
      return token === undefined ? undefined : { _tag, token, storedVersion, time }
    }
    default:
      return undefined
  }
}

const isKept = (part: unknown): boolean | undefined => {
  const word = text(part)
  return word === "kept" || word === "refused" ? word === "kept" : undefined
}

const committedOf = (reply: unknown) => {
  const [first, second, third] = list(reply)
  const [decision, kept, lastMark] = [text(first), isKept(second), count(third)]
  if (kept === undefined) return undefined
  return decision === "Stored" || decision === "Superseded" || decision === "Lost"
    ? ({ decision, kept, lastMark } as const)
    : undefined
}

const putOf = (reply: unknown) => {
  const [first, second] = list(reply)
  const [done, kept] = [flag(first), isKept(second)]
  return done === undefined || kept === undefined ? undefined : { done, kept }
}

interface Written extends Tier.Written {
  readonly kept: boolean
}

const writtenOf = (reply: unknown): Written | undefined => {
  const [first, second, third, fourth] = list(reply)
  const [version, time, kept, lastMark] = [
    count(first),
    count(second),
    isKept(third),
    count(fourth),
  ]
  return version === undefined || time === undefined || kept === undefined
    ? undefined
    : { version, time, kept, lastMark }
}

const flag = (reply: unknown): boolean | undefined =>
  reply === 0 || reply === 1 ? reply === 1 : undefined

export class Store {
  readonly #asking: Asking
  readonly #keys: LarderKeys
  readonly #marks: Marks
  readonly #settle: number
  readonly #pushBytes: number
  readonly #notify: Notify

  /**
   * `settleTime`: how long records of leases live at least; tombstones live twice as long.
   * `pushBytes`: the largest envelope that goes with the message of its change.
   */
  constructor(
    asking: Asking,
    keys: LarderKeys,
    marks: Marks,
    { pushBytes, settleTime }: Pick<Tier.Limits, "pushBytes" | "settleTime">,
    notify: Notify,
  ) {
    this.#asking = asking
    this.#keys = keys
    this.#marks = marks
    this.#settle = Math.ceil(settleTime)
    this.#pushBytes = pushBytes
    this.#notify = notify
  }

  readonly read = (
    keys: ReadonlyArray<string>,
  ): Effect.Effect<ReadonlyArray<Uint8Array | undefined>, Tier.TierError> =>
    this.#found("read", read, keys)

  readonly versions = (
    keys: ReadonlyArray<string>,
  ): Effect.Effect<ReadonlyArray<Arbitration.Stored>, Tier.TierError> =>
    Effect.map(this.#found("versions", readHeaders, keys), (found) => found.map(storedOf))

  #found(
    operation: string,
    ask: typeof read,
    keys: ReadonlyArray<string>,
  ): Effect.Effect<ReadonlyArray<Uint8Array | undefined>, Tier.TierError> {
    const names = keys.map(this.#keys.entry)
    return Effect.matchEffect(
      this.#asking.redis.use((client) => ask(client, names)),
      {
        onFailure: (cause) => Effect.fail(this.#asking.fail(operation, cause)),
        onSuccess: (found) => this.#bytesOf(operation, names, found),
      },
    )
  }

  readonly put = (
    key: string,
    envelope: Uint8Array,
    lifeMillis: number,
  ): Effect.Effect<boolean, Tier.TierError> =>
    this.#withVersion("put", envelope, (version) =>
      Effect.map(
        this.#asking.script(
          "put",
          scripts.put,
          this.#both(key),
          [version, envelope, lifeOf(lifeMillis), ...this.#tail(key)],
          putOf,
        ),
        ({ done, kept }) => {
          if (!kept) this.#refused(key, envelope.length)
          return done
        },
      ),
    )

  readonly drop = (key: string, version: number): Effect.Effect<void, Tier.TierError> =>
    Effect.suspend(() => {
      const highest = Math.min(Math.max(0, Math.floor(version)), Number.MAX_SAFE_INTEGER)
      return Effect.asVoid(
        this.#asking.script("drop", scripts.drop, this.#both(key), [highest, this.#settle], flag),
      )
    })

  acquire(key: string, request: Tier.LeaseRequest): Effect.Effect<Tier.Acquired, Tier.TierError> {
    const args = this.#leaseOf(request)
    const both = this.#both(key)
    const { acquire, release, run } = scripts
    return this.#asking.lease("acquire", acquire, both, args, acquiredOf, (reply, client) => {
      const acquired = acquiredOf(reply)
      if (acquired?._tag !== "Won") return
      // No lookup holds this lease, and others would wait for it. If the release fails, the lease
      // expires.
      run(client, release, both, this.#releaseOf(key, acquired.token, 0), () => true).catch(
        () => {},
      )
    })
  }

  renew(key: string, token: number, leaseMillis: number): Effect.Effect<boolean, Tier.TierError> {
    const args = [Arbitration.usable(token), spanOf(leaseMillis), this.#settle]
    return this.#asking.script("renew", scripts.renew, this.#both(key), args, flag)
  }

  release(key: string, token: number, failedMillis: number): Effect.Effect<void, Tier.TierError> {
    const args = this.#releaseOf(key, token, failedMillis)
    return Effect.asVoid(
      this.#asking.script("release", scripts.release, this.#both(key), args, flag),
    )
  }

  commit(
    key: string,
    token: number,
    envelope: Uint8Array,
    lifeMillis: number,
  ): Effect.Effect<Tier.Committed, Tier.TierError> {
    return this.#withVersion("commit", envelope, () =>
      Effect.map(
        this.#asking.script(
          "commit",
          scripts.commit,
          this.#withFloors(key),
          this.#commitOf(key, token, envelope, lifeMillis),
          committedOf,
        ),
        (answer) => this.#committed(key, envelope, answer),
      ),
    )
  }

  acquireAll(
    requests: ReadonlyArray<Tier.AcquireRequest>,
  ): Effect.Effect<ReadonlyArray<Tier.Acquired | undefined>, Tier.TierError> {
    const calls = requests.map((request) => ({
      keys: this.#both(request.key),
      args: this.#leaseOf(request),
    }))
    const { acquire, release, runAll } = scripts
    return this.#asking.leaseAll("acquire", acquire, calls, acquiredOf, (answers, client) => {
      const won: Array<scripts.Call> = []
      for (const [i, answer] of answers.entries()) {
        if (answer?._tag === "Won") {
          const { key } = requests[i]!
          won.push({ keys: calls[i]!.keys, args: this.#releaseOf(key, answer.token, 0) })
        }
      }
      // As after `acquire`.
      if (won.length > 0) runAll(client, release, won, () => true).catch(() => {})
    })
  }

  commitAll(
    commits: ReadonlyArray<Tier.CommitRequest>,
  ): Effect.Effect<ReadonlyArray<Tier.Committed | undefined>, Tier.TierError> {
    return Effect.suspend(() => {
      const places: Array<number> = []
      const calls: Array<scripts.Call> = []
      for (const [place, { envelope, key, lifeMillis, token }] of commits.entries()) {
        if (Envelope.version(envelope) === undefined) continue
        places.push(place)
        calls.push({
          keys: this.#withFloors(key),
          args: this.#commitOf(key, token, envelope, lifeMillis),
        })
      }
      const stored = this.#asking.scriptAll("commit", scripts.commit, calls, committedOf)
      return Effect.map(stored, (answers) => {
        const all = new Array<Tier.Committed | undefined>(commits.length).fill(undefined)
        for (const [i, place] of places.entries()) {
          const answer = answers[i]
          const { envelope, key } = commits[place]!
          all[place] = answer && this.#committed(key, envelope, answer)
        }
        return all
      })
    })
  }

  #commitOf(
    key: string,
    token: number,
    envelope: Uint8Array,
    lifeMillis: number,
  ): scripts.Call["args"] {
    return [Arbitration.usable(token), envelope, lifeOf(lifeMillis), ...this.#tail(key)]
  }

  #leaseOf({ despiteFailure, force, known, leaseMillis }: Tier.LeaseRequest): scripts.Call["args"] {
    const claim = force ? "force" : despiteFailure === true ? "despite" : ""
    return [Arbitration.usable(known), spanOf(leaseMillis), claim, this.#settle]
  }

  #releaseOf(key: string, token: number, failedMillis: number): scripts.Call["args"] {
    return [Arbitration.usable(token), spanOf(failedMillis), ...this.#tail(key)]
  }

  #committed(
    key: string,
    envelope: Uint8Array,
    { decision, kept, lastMark }: NonNullable<ReturnType<typeof committedOf>>,
  ): Tier.Committed {
    if (!kept) this.#refused(key, envelope.length)
    return { decision, lastMark }
  }

  write(
    key: string,
    write: Tier.Write,
    known: number,
  ): Effect.Effect<Tier.Written, Tier.TierError> {
    const number = Arbitration.usable(known)
    const written = (asked: Effect.Effect<Written, Tier.TierError>) =>
      Effect.map(asked, ({ kept, lastMark, time, version }) => {
        if (!kept) {
          this.#refused(key, write._tag === "Set" ? write.envelope.length : undefined)
        }
        return { version, time, lastMark }
      })
    const both = this.#both(key)
    const now = (
      script: scripts.Script,
      names: ReadonlyArray<string>,
      ...more: ReadonlyArray<scripts.Argument>
    ) => {
      const args = [number, ...more, ...this.#tail(key)]
      return written(this.#asking.change("write", script, names, args, writtenOf))
    }
    // A change with its place in the order overtakes nothing, whenever it arrives.
    const placed = (script: scripts.Script, ...more: ReadonlyArray<scripts.Argument>) => {
      const args = [...more, ...this.#tail(key)]
      return written(this.#asking.script("write", script, both, args, writtenOf))
    }
    switch (write._tag) {
      case "Set": {
        const { at, envelope, lifeMillis } = write
        const life = lifeOf(lifeMillis)
        return this.#withVersion("write", envelope, () =>
          at === undefined
            ? now(scripts.set, this.#withFloors(key), envelope, life)
            : placed(scripts.setAt, Arbitration.usable(at), envelope, life),
        )
      }
      case "Remove":
        return write.at === undefined
          ? now(scripts.remove, both)
          : placed(scripts.removeAt, Arbitration.usable(write.at))
      case "Expire":
        return now(scripts.expire, both)
    }
  }

  /** One object, since a tier passes its arbiter around. */
  arbiter(listen: Tier.Arbiter["listen"]): Tier.Arbiter {
    return {
      acquire: (key, request) => this.acquire(key, request),
      renew: (key, token, leaseMillis) => this.renew(key, token, leaseMillis),
      release: (key, token, failedMillis) => this.release(key, token, failedMillis),
      commit: (key, token, envelope, lifeMillis) => this.commit(key, token, envelope, lifeMillis),
      acquireAll: (requests) => this.acquireAll(requests),
      commitAll: (commits) => this.commitAll(commits),
      write: (key, write, known) => this.write(key, write, known),
      mark: this.#marks.mark,
      marks: this.#marks.marks,
      versions: this.versions,
      listen,
    }
  }

  /** The last arguments of a script that publishes. */
  #tail(key: string): scripts.Call["args"] {
    const shard = shardFor(this.#asking.redis.client, this.#keys, key)
    return [this.#keys.channel, shard, this.#pushBytes, key, this.#settle]
  }

  #both(key: string): ReadonlyArray<string> {
    return [this.#keys.entry(key), this.#keys.lease(key)]
  }

  /** The names of a key, and those of the floors unless another master of the Cluster may have them. */
  #withFloors(key: string): ReadonlyArray<string> {
    const both = this.#both(key)
    return this.#asking.redis.isCluster ? both : [...both, this.#keys.floors]
  }

  #withVersion<A>(
    operation: string,
    envelope: Uint8Array,
    use: (version: number) => Effect.Effect<A, Tier.TierError>,
  ): Effect.Effect<A, Tier.TierError> {
    return Effect.suspend(() => {
      const version = Envelope.version(envelope)
      return version === undefined
        ? Effect.fail(this.#asking.fail(operation, new NoEnvelope()))
        : use(Arbitration.brought(version))
    })
  }

  #bytesOf(
    operation: string,
    names: ReadonlyArray<string>,
    found: ReadonlyArray<Found>,
  ): Effect.Effect<ReadonlyArray<Uint8Array | undefined>, Tier.TierError> {
    const bytes = found.map((each) => (each === null || each === "wrongType" ? undefined : each))
    if (!found.includes("wrongType")) return Effect.succeed(bytes)
    const foreign = names.filter((_, i) => found[i] === "wrongType")
    return Effect.as(
      Effect.forEach(
        foreign,
        (name) => this.#asking.script(operation, scripts.clear, [name], [], flag),
        { concurrency: "unbounded", discard: true },
      ),
      bytes,
    )
  }

  #refused(key: string, bytes: number | undefined): void {
    this.#notify?.({ _tag: "Evicted", key, cause: "refused", bytes })
  }
}
