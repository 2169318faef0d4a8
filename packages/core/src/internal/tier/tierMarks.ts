/**
 * The marks of an arbiter, as one larder sees them: read together with entries, and before an entry
 * is used that they may cover.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { TierError } from "../../Tier.ts"
import type { Budget } from "./budget.ts"
import { MarkReading } from "./markSync.ts"
import type { TierParts } from "./parts.ts"
import type { TierTime } from "./tierClock.ts"
import type { Ask, Options, Surroundings } from "./tierOptions.ts"

export class TierMarks {
  readonly #options: Options
  readonly #parts: TierParts
  readonly #time: TierTime
  readonly #ask: Ask
  /** Undefined in a tier that does not arbitrate. */
  readonly reading: MarkReading | undefined
  /** The marks of the arbiter that the tier stands in front of. */
  #behind: TierMarks | undefined

  constructor(
    options: Options,
    { arbiter, ask, limits, parts, time }: Surroundings,
    fork: (effect: Effect.Effect<void>) => void,
  ) {
    this.#ask = ask
    this.#options = options
    this.#parts = parts
    this.#time = time
    const { clock, marks, maxFreshFor = Infinity } = options
    this.reading =
      arbiter &&
      new MarkReading({
        arbiter,
        marks,
        clock,
        time,
        // Entries of the arbiter are confirmed by marks of up to this age: half of `maxFreshFor` is left.
        maxAgeMillis: Math.min(limits.markMaxAge, maxFreshFor / 2),
        steps: () => parts.stepsOf(undefined),
        fork,
      })
  }

  /** From now on, judges the tier's entries by the marks of the arbiter behind it. */
  standInFrontOf(behind: TierMarks): void {
    this.#behind = behind
  }

  /** Whether marks must be read before entries of this part are used, and another server has them. */
  needsApart(part: string): boolean {
    if (this.#behind !== undefined) return this.#behind.reading?.isDue === true
    return this.reading !== undefined && this.areApart(part) && !this.reading.isRecent
  }

  areApart(part: string): boolean {
    return this.#parts.of(undefined) !== part
  }

  get isKnown(): boolean {
    return this.reading?.isKnown !== false
  }

  /** Reads the marks of the arbiter: this tier or the one behind it. */
  elsewhere(budget?: Budget): Effect.Effect<unknown> {
    return (this.#behind ?? this).read("page", budget)
  }

  /** Reads the marks in a separate step; says whether the arbiter answered. Only for an arbiter. */
  read(kind: "page" | "latest", budget?: Budget): Effect.Effect<boolean> {
    const asked = Effect.as(this.reading![kind], true)
    const answered = this.#parts.stepsOf(undefined).run("marks", asked, budget)
    return Effect.map(answered, (done) => done === true)
  }

  /** Reads the tier's clock if unknown. Required before writes: an entry's times are of that clock. */
  get ready(): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.#time.isKnown ? Effect.void : Effect.asVoid(this.read("page")),
    )
  }

  /**
   * Runs `effect` and, unless the marks are recent, reads the marks of other nodes in parallel. No extra
   * round trip where the tier pipelines.
   */
  beside<A>(effect: Effect.Effect<A, TierError>): Effect.Effect<A, TierError> {
    if (this.reading?.isRecent !== false) return effect
    return besides(effect, this.reading.page)
  }

  /**
   * Runs `effect` and, before the first answer with marks, reads the marks in parallel: a value looked
   * up before any mark is known would count as older than all marks. A failed read of the marks does
   * not cost the lease.
   */
  readonly besideFirst = <A>(effect: Effect.Effect<A, TierError>): Effect.Effect<A, TierError> =>
    this.reading?.isKnown !== false ? effect : besides(effect, Effect.ignore(this.reading.page))

  /**
   * Runs a step that stores a value, then reads the marks up to its answer: other nodes may have set
   * some since this node read them. A tier of several servers does not tell the last mark with its
   * answer, so the marks are read in parallel. While the server with the marks is away, values on
   * other servers are judged by the known marks.
   */
  upTo<A extends { readonly lastMark: number | undefined }>(
    key: string,
    stored: Effect.Effect<A | undefined>,
  ): Effect.Effect<{ readonly answer: A; readonly knowsMarks: boolean } | undefined> {
    if (!this.#parts.isOne) {
      const both = Effect.all([stored, this.read("latest")], { concurrency: "unbounded" })
      return Effect.map(both, ([answer, isRead]) => {
        const knowsMarks = isRead || this.areApart(this.#parts.of(key))
        return answer && { answer, knowsMarks }
      })
    }
    return Effect.flatMap(stored, (answer) => {
      if (answer === undefined) return Exit.succeed(undefined)
      const { lastMark = Infinity } = answer
      if (lastMark <= this.#options.marks.readUpTo) {
        return Exit.succeed({ answer, knowsMarks: true })
      }
      this.reading?.hear(lastMark)
      return Effect.map(this.read("latest"), (knowsMarks) => ({ answer, knowsMarks }))
    })
  }

  /** Sets marks and merges the arbiter's; returns their number. */
  set(
    tags: ReadonlyArray<string | undefined>,
    keepStale: boolean,
    budget?: Budget,
  ): Effect.Effect<number | undefined> {
    const { clock, marks } = this.#options
    const step = Effect.suspend(() => {
      const since = marks.last
      return Effect.map(
        this.#ask((arbiter) => arbiter.mark(tags, keepStale, since)),
        (page) => {
          marks.merge(page, since, clock.currentTimeMillisUnsafe())
          return page.number
        },
      )
    })
    const marked = this.#parts.stepsOf(undefined).run("mark", step, budget)
    // Race: this node has numbered marks itself, and may have missed other marks below them. Until those
    // are read, all older entries count as stale, and later readers would look up for nothing.
    return Effect.flatMap(marked, (number) =>
      number !== undefined && marks.isBehind
        ? Effect.as(this.read("latest", budget), number)
        : Effect.succeed(number),
    )
  }
}

/** Runs both effects in parallel; returns the result of the first. Fails if one fails. */
export const besides = <A, E>(
  effect: Effect.Effect<A, E>,
  other: Effect.Effect<unknown, E>,
): Effect.Effect<A, E> =>
  Effect.map(Effect.all([effect, other], { concurrency: "unbounded" }), ([answer]) => answer)
