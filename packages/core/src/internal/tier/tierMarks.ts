/**
 * The marks of an arbiter, as one larder sees them: read beside what the tier is asked
 * for, and before anything is believed that they may cover.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Arbiter, TierError } from "../../Tier.ts"
import type { Budget } from "./budget.ts"
import { MarkReading } from "./markSync.ts"
import type { TierParts } from "./parts.ts"
import type { TierTime } from "./tierClock.ts"
import type { Options, Surroundings } from "./tierOptions.ts"

/** Marks that nodes set elsewhere are looked for at most this much later, while the tier is read. */
const markMaxAge = 5_000

/** An operation of the arbiter. */
export const asked = <A>(
  tier: string,
  arbiter: Arbiter | undefined,
  operation: (arbiter: Arbiter) => Effect.Effect<A, TierError>,
): Effect.Effect<A, TierError> =>
  arbiter === undefined
    ? Effect.die(new Error(`the tier ${tier} does not arbitrate`))
    : operation(arbiter)

/** The marks of the arbiter, as they are read beside what a tier is asked for. */
export class TierMarks {
  readonly #name: string
  readonly #arbiter: Arbiter | undefined
  readonly #options: Options
  readonly #parts: TierParts
  readonly #time: TierTime
  /** Undefined in a tier that does not arbitrate. */
  readonly reading: MarkReading | undefined
  /** Those of the tier that it stands in front of. */
  #behind: TierMarks | undefined

  constructor(
    name: string,
    arbiter: Arbiter | undefined,
    options: Options,
    { parts, time }: Surroundings,
    fork: (effect: Effect.Effect<void>) => void,
  ) {
    this.#name = name
    this.#arbiter = arbiter
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
        // What is taken over from the arbiter is confirmed by marks of that age: half of the time is left.
        maxAgeMillis: Math.min(markMaxAge, maxFreshFor / 2),
        steps: () => parts.stepsOf(undefined),
        fork,
      })
  }

  /** From now on what the tier has is believed by the marks of the arbiter behind it. */
  standInFrontOf(behind: TierMarks): void {
    this.#behind = behind
  }

  readonly #ask = <A>(operation: (arbiter: Arbiter) => Effect.Effect<A, TierError>) =>
    asked(this.#name, this.#arbiter, operation)

  /** Whether marks are to be read before entries of this part are believed, and another server has them. */
  needsApart(part: string): boolean {
    if (this.#behind !== undefined) return this.#behind.reading?.isDue === true
    return this.reading?.isRecent === false && this.areApart(part)
  }

  areApart(part: string): boolean {
    return this.#parts.of(undefined) !== part
  }

  get isKnown(): boolean {
    return this.reading?.isKnown !== false
  }

  /** Of the arbiter, that is this tier or the one behind it. */
  elsewhere(budget?: Budget): Effect.Effect<unknown> {
    return (this.#behind ?? this).read("page", budget)
  }

  /** As a step of its own; says whether there was an answer. Of an arbiter alone. */
  read(kind: "page" | "latest", budget?: Budget): Effect.Effect<boolean> {
    const asked = Effect.as(this.reading![kind], true)
    const answered = this.#parts.stepsOf(undefined).run("marks", asked, budget)
    return Effect.map(answered, (done) => done === true)
  }

  /** Its clock must be known before anything is written: an entry's times are the tier's. */
  get ready(): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.#time.isKnown ? Effect.void : Effect.asVoid(this.read("page")),
    )
  }

  /**
   * Together with `effect`, the marks that other nodes have set: before the
   * first answer is believed, and now and then afterwards. No extra round trip
   * where the tier pipelines.
   */
  beside<A>(effect: Effect.Effect<A, TierError>): Effect.Effect<A, TierError> {
    if (this.reading?.isRecent !== false) return effect
    return besides(effect, this.reading.page)
  }

  /**
   * Together with `effect`, the marks if nothing has been read yet: what is looked
   * up before any mark is known would be older than all of them. A token that was
   * won counts even so.
   */
  readonly besideFirst = <A>(effect: Effect.Effect<A, TierError>): Effect.Effect<A, TierError> =>
    this.reading?.isKnown !== false ? effect : besides(effect, Effect.ignore(this.reading.page))

  /**
   * A step that stores a value, and then the marks up to its answer: other nodes may have set
   * some since this node read them. A tier of several servers does not tell of them with its
   * answer: they are asked for at the same time. While the server that has them is away, what
   * another one stores is judged by the marks that are known.
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

  /** Sets marks and takes over the arbiter's; gives their number. */
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
    // Race: this node has numbered marks itself, and may have missed others below them. Until they
    // are read all older entries are stale: so who reads after the mark would look up for nothing.
    return Effect.flatMap(marked, (number) =>
      number !== undefined && marks.isBehind
        ? Effect.as(this.read("latest", budget), number)
        : Effect.succeed(number),
    )
  }
}

/** What the first gives, when both have ended well. */
export const besides = <A, E>(
  effect: Effect.Effect<A, E>,
  other: Effect.Effect<unknown, E>,
): Effect.Effect<A, E> =>
  Effect.map(Effect.all([effect, other], { concurrency: "unbounded" }), ([answer]) => answer)
