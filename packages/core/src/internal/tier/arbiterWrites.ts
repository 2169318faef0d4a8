/** Commits and changes at an arbiter, which orders them. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Entry from "../../Entry.ts"
import type { Arbiter, CommitRequest, Committed as Arbitrated, Write } from "../../Tier.ts"
import { monotonicMillis } from "../runtime/monotonic.ts"
import { CommitBatches } from "./batches.ts"
import type { Budget } from "./budget.ts"
import type { TierCodec } from "./codec.ts"
import type { TierSteps } from "./guardedCalls.ts"
import type { TierParts } from "./parts.ts"
import type { TierTime } from "./tierClock.ts"
import type { TierMarks } from "./tierMarks.ts"
import type { Ask, Options, Surroundings } from "./tierOptions.ts"
import type { TierWarnings } from "./tierWarnings.ts"

/** A caller's change of a key; with `at`, for that place in the arbiter's order. */
export type Change =
  | { readonly _tag: "Set"; readonly entry: Entry.Entry<unknown>; readonly at?: number | undefined }
  | { readonly _tag: "Remove"; readonly at?: number | undefined }
  | { readonly _tag: "Expire" }

/** The arbiter's decision. `Unjudged`: stored, but marks that may cover the value could not be read. */
export type Committed = Arbitrated["decision"] | "Unjudged"

/** A change that the arbiter applied. */
export interface Written {
  readonly version: number
  /** For a set value: covers all marks from before it. */
  readonly asOf: number | undefined
}

export class ArbiterWrites {
  readonly #arbiter: Arbiter | undefined
  readonly #ask: Ask
  readonly #options: Options
  readonly #parts: TierParts
  readonly #time: TierTime
  readonly #warnings: TierWarnings
  readonly #marks: TierMarks
  readonly #codec: TierCodec
  readonly #commits: CommitBatches

  constructor(
    options: Options,
    { arbiter, ask, parts, time, warnings }: Surroundings,
    marks: TierMarks,
    codec: TierCodec,
  ) {
    this.#arbiter = arbiter
    this.#ask = ask
    this.#options = options
    this.#parts = parts
    this.#time = time
    this.#warnings = warnings
    this.#marks = marks
    this.#codec = codec
    this.#commits = new CommitBatches(
      (steps, requests) => this.#commitBatch(steps, requests),
      Effect.runForkWith(options.context),
      options.turns,
    )
  }

  /** Undefined where the arbiter does not answer; `unwritable` for a value that cannot be encoded. */
  commit<U extends string = never>(
    key: string,
    entry: Entry.Entry<unknown>,
    unwritable?: U,
  ): Effect.Effect<Committed | U | undefined> {
    const stored = (bytes: Uint8Array, life: number): Effect.Effect<Committed | U | undefined> => {
      const committed = this.#parts.stepsOf(key).run(
        "commit",
        this.#ask((arbiter) => arbiter.commit(key, entry.version, bytes, life)),
        undefined,
        this.#warnings.ofSize(bytes.length),
      )
      return Effect.map(
        this.#marks.upTo(key, committed),
        (done): Committed | undefined => done && judged(done.answer, done.knowsMarks),
      )
    }
    return this.#codec.encoded(key, entry, stored, unwritable)
  }

  /** Whether {@link commitAmong} puts commits of many keys into one trip. */
  get commitsMany(): boolean {
    return this.#arbiter?.commitAll !== undefined
  }

  /** Backpressure: waits while very many commits wait. */
  get commitRoom(): Effect.Effect<void> {
    return this.#commits.room
  }

  /** As `commit`, batched with other commits of this moment on the same part of the tier. */
  commitAmong(key: string, entry: Entry.Entry<unknown>): Effect.Effect<Committed | undefined> {
    return this.#codec.encoded(key, entry, (envelope, lifeMillis) => {
      const request = { key, token: entry.version, envelope, lifeMillis }
      return this.#commits.commit(this.#parts.stepsOf(key), request)
    })
  }

  /** Applies a caller's change; undefined where the arbiter did not confirm it. */
  write(
    key: string,
    change: Change,
    known: number,
    budget?: Budget,
  ): Effect.Effect<Written | "unwritable" | undefined> {
    if (change._tag !== "Set") {
      return Effect.map(this.#written(key, change, known, budget), (written) =>
        written === undefined ? undefined : { version: written.version, asOf: undefined },
      )
    }
    const { at, entry } = change
    return this.#codec.encoded<Written | "unwritable">(
      key,
      entry,
      (envelope, lifeMillis) => {
        const written = this.#written(key, { _tag: "Set", envelope, lifeMillis, at }, known, budget)
        // A change with a place in the order covers the marks up to that place already.
        return at === undefined
          ? Effect.flatMap(this.#marks.upTo(key, written), (done) =>
              done === undefined || !done.knowsMarks
                ? Exit.succeed(undefined)
                : this.#aboveItsMarks(key, entry, done.answer.version, budget),
            )
          : Effect.map(written, (done) => done && { version: done.version, asOf: entry.asOf })
      },
      "unwritable",
    )
  }

  /** Commits on one part of the tier, and one read of the marks for all of them. */
  #commitBatch(
    steps: TierSteps,
    requests: ReadonlyArray<CommitRequest>,
  ): Effect.Effect<ReadonlyArray<Committed | undefined>> {
    const stored = Effect.map(this.#committed(steps, requests), (answers) => {
      const known = answers.filter((answer) => answer !== undefined)
      if (known.length === 0) return undefined
      return { answers, lastMark: Math.max(...known.map(({ lastMark = Infinity }) => lastMark)) }
    })
    return Effect.map(this.#marks.upTo(requests[0]!.key, stored), (done) =>
      done === undefined
        ? []
        : done.answer.answers.map((answer) => answer && judged(answer, done.knowsMarks)),
    )
  }

  #committed(
    steps: TierSteps,
    requests: ReadonlyArray<CommitRequest>,
  ): Effect.Effect<ReadonlyArray<Arbitrated | undefined>> {
    const commitAll = this.#arbiter?.commitAll
    if (requests.length === 1 || commitAll === undefined) {
      return Effect.forEach(requests, ({ envelope, key, lifeMillis, token }) =>
        steps.run(
          "commit",
          this.#ask((arbiter) => arbiter.commit(key, token, envelope, lifeMillis)),
          undefined,
          this.#warnings.ofSize(envelope.length),
        ),
      )
    }
    return Effect.map(steps.run("commit", commitAll(requests)), (answers) => answers ?? [])
  }

  #written(
    key: string,
    write: Write,
    known: number,
    budget: Budget | undefined,
  ): Effect.Effect<Answered | undefined> {
    const { clock } = this.#options
    const asked = Effect.suspend(() => {
      const sent = monotonicMillis(clock)
      return Effect.map(
        this.#ask((arbiter) => arbiter.write(key, write, known)),
        (answer) => {
          this.#time.heard(answer.time, sent, monotonicMillis(clock))
          this.#time.wasGiven(answer.version)
          return answer
        },
      )
    })
    const onFailure =
      write._tag === "Set" ? this.#warnings.ofSize(write.envelope.length) : undefined
    return this.#parts.stepsOf(key).run("write", asked, budget, onFailure)
  }

  /**
   * Race: another node set a mark before this value, and this node did not know the mark when it
   * wrote the value. For all other nodes the mark would cover the value. So this node writes the
   * value again with a higher `asOf`, unless the key has changed meanwhile.
   */
  #aboveItsMarks(
    key: string,
    entry: Entry.Entry<unknown>,
    version: number,
    budget: Budget | undefined,
  ): Effect.Effect<Written | undefined> {
    const { marks } = this.#options
    if (marks.judge(entry) === "valid") return Exit.succeed({ version, asOf: entry.asOf })
    const asOf = marks.last
    return this.#codec.encoded(key, { ...entry, asOf }, (envelope, lifeMillis) =>
      Effect.map(this.#replaced(key, version, { envelope, lifeMillis }, budget), (replaced) =>
        replaced === undefined ? undefined : { version: replaced, asOf },
      ),
    )
  }

  /**
   * Stores a value in place of the one with that version; returns its own version, or that of the other one
   * where the key has changed since. Under a token, since every other number above the version may also be
   * the token of a lookup, and then two values would have it.
   */
  #replaced(
    key: string,
    version: number,
    { envelope, lifeMillis }: Pick<CommitRequest, "envelope" | "lifeMillis">,
    budget: Budget | undefined,
  ): Effect.Effect<number | undefined> {
    const steps = this.#parts.stepsOf(key)
    // Readers wait for no longer than that, should this node end in between.
    const request = { known: version, leaseMillis: this.#options.tierTimeout, force: true }
    const claimed = this.#ask((arbiter) => arbiter.acquire(key, request))
    return Effect.flatMap(steps.run("acquire", claimed, budget), (claim) => {
      if (claim?._tag !== "Won") return Effect.undefined
      const { storedVersion, token } = claim
      this.#time.wasGiven(token)
      if (storedVersion !== version) {
        const released = this.#ask((arbiter) => arbiter.release(key, token, 0))
        return Effect.as(steps.run("release", released), version)
      }
      const committed = this.#ask((arbiter) => arbiter.commit(key, token, envelope, lifeMillis))
      return Effect.map(
        steps.run("commit", committed, budget),
        (done) => done && (done.decision === "Stored" ? token : version),
      )
    })
  }
}

const judged = ({ decision }: Arbitrated, knowsMarks: boolean): Committed =>
  knowsMarks || decision !== "Stored" ? decision : "Unjudged"

/** The arbiter's answer to a change. */
type Answered = Effect.Success<ReturnType<Arbiter["write"]>>
