/**
 * Records what the larders of a test do, with virtual time and node: calls and their answers, events,
 * decisions. A timeline draws itself as text and as SVG, with a lane for each node, and has assertions
 * whose failures show the lanes around the moment, and the decision that was taken there.
 *
 * A test wants to see its keys, so they are shown. Where a `KeyDisplay` of `@larder/core` is provided
 * around `text`, `svg` or an assertion, they appear as it says; with any other than `"shown"`, values and
 * the texts of errors and events, which may quote a key, are left out. Records keep all.
 *
 * `LarderTest.layer` has a timeline.
 *
 * @module
 * @category testing
 * @since 0.1.0
 */
import { Instrument, InvalidOptions } from "@larder/core"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { recordsAfter, recordsBefore } from "./internal/limits.ts"
import { millisOf } from "./internal/millis.ts"
import { NodeName, onlyNode } from "./internal/nodes/nodeName.ts"
import { WronglyShared } from "./internal/nodes/sharing.ts"
import { checkNames, type NamesOf } from "./internal/options.ts"
import * as checks from "./internal/timeline/checks.ts"
import { decisionText } from "./internal/timeline/describe.ts"
import { displayed, provided } from "./internal/timeline/displayed.ts"
import { lanes, lanesOfPart } from "./internal/timeline/lanes.ts"
import type { Decided, Record } from "./internal/timeline/record.ts"
import { Recorder } from "./internal/timeline/recorder.ts"
import { settlesWithin } from "./internal/timeline/settling.ts"
import { svg as svgOf } from "./internal/timeline/svg.ts"

export type {
  Answer,
  Answered,
  Called,
  Decided,
  Happened,
  Method,
  Noted,
  Record,
  Served,
} from "./internal/timeline/record.ts"

/**
 * The service: the timeline of a test.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, Policy, Upstream } from "@larder/core"
 * import { LarderTest, Timeline } from "@larder/testing"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const prices = yield* Larder.make({
 *     name: "prices",
 *     upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(120) }),
 *     policy: Policy.make({ freshFor: "1 minute" }),
 *   })
 *   yield* prices.get("milk")
 *   const { records } = yield* Timeline.Timeline
 *   return records.map(({ _tag }) => _tag)
 * })
 * const tags = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(LarderTest.layer)),
 * )
 * assert.ok(tags.includes("Called") && tags.includes("Answered"))
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class Timeline extends Context.Service<Timeline, Recording>()("@larder/testing/Timeline") {}

/**
 * What the service gives: the records so far, and a way to add remarks.
 *
 * @category models
 * @since 0.1.0
 */
export interface Recording {
  /** The records so far, oldest first. A timeline keeps the last 500,000 at least. */
  readonly records: ReadonlyArray<Record>
  /** How many of the oldest records are gone. Above 0 no assertion holds. */
  readonly forgotten: number
  /** The nodes, in the order of their first record. */
  readonly nodes: ReadonlyArray<string>
  /** The larders, in the order of their first record. */
  readonly larders: ReadonlyArray<string>
  /** When the timeline began, ms of virtual time. */
  readonly began: number
  /** The virtual time now, ms. */
  readonly now: () => number
  /** Adds a remark to the lane of a node. */
  readonly note: (node: string, text: string) => void
  /** Tells that the process of a node was killed. Its calls that wait for an answer have none. */
  readonly killed: (node: string) => void
  /** Records the larders of a node that are made with this instrument. Nodes of one cluster share tiers. */
  readonly instrument: (node: string, cluster: string) => Instrument.Instrument
  /** The cluster in which an arbiter orders the versions of this larder; undefined where none does. */
  readonly clusterOf: (place: {
    readonly node: string
    readonly larder: string
  }) => string | undefined
}

/**
 * An assertion about a timeline does not hold. The message ends with the lanes around the moment.
 *
 * **Example**
 *
 * ```ts
 * import { Timeline } from "@larder/testing"
 * import * as assert from "node:assert"
 *
 * const error = new Timeline.AssertionFailed({ message: "expected 1 lookup of milk, but there were 2" })
 * assert.strictEqual(error._tag, "AssertionFailed")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class AssertionFailed extends Schema.TaggedError<AssertionFailed>()("AssertionFailed", {
  message: Schema.String,
}) {}

/**
 * A timeline that records every larder that is made below it.
 *
 * **When to use**
 *
 * Where `LarderTest.layer` does not fit: with tiers and a clock of your own.
 *
 * **Details**
 *
 * Its times are those of the `Clock` of the build. It takes the place of another `Instrument`.
 *
 * **Gotchas**
 *
 * A recorded `get` runs as a `getWithMeta`, which decides the same and says where the value came from.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Timeline } from "@larder/testing"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const prices = yield* Larder.make({
 *     name: "prices",
 *     upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(120) }),
 *     policy: Policy.make({ freshFor: "1 minute" }),
 *   })
 *   yield* prices.get("milk")
 *   yield* Timeline.expect("milk").lookups(1)
 * })
 * await Effect.runPromise(
 *   program.pipe(
 *     Effect.scoped,
 *     Effect.provide([TierStack.layer(MemoryTier.layer()), Timeline.layer]),
 *   ),
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Timeline> = Layer.effectContext(
  Effect.gen(function* () {
    const clock = yield* Effect.clockWith(Effect.succeed)
    const recorder = new Recorder(() => clock.currentTimeMillisUnsafe())
    const node = yield* NodeName
    if (node !== onlyNode) return yield* Effect.die(new WronglyShared({ message: within(node) }))
    return Context.make(Timeline, recordingOf(recorder)).pipe(
      Context.add(Instrument.Instrument, recorder.instrument(node, node)),
    )
  }),
)

const within = (node: string): string =>
  `LarderTest.nodes: the layer of the application brings LarderTest.layer, or Timeline.layer, along, so that the node ${node} would have a timeline of its own and share nothing. Provide it around LarderTest.nodes`

const recordingOf = (recorder: Recorder): Recording => ({
  get records() {
    return recorder.records
  },
  get forgotten() {
    return recorder.forgotten
  },
  get nodes() {
    return recorder.nodes
  },
  get larders() {
    return recorder.larders
  },
  began: recorder.began,
  now: recorder.now,
  note: (node, text) => recorder.note(node, text),
  killed: (node) => recorder.killed(node),
  instrument: (node, cluster) => recorder.instrument(node, cluster),
  clusterOf: (place) => recorder.clusterOf(place),
})

/** The records as they are drawn. */
const shownBy = Effect.gen(function* () {
  const { began, nodes, records } = yield* Timeline
  return { ...displayed(records, yield* provided), began, nodes }
})

/**
 * The timeline as text: a line for each record, a column for each node. Decisions are left out.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, Policy, Upstream } from "@larder/core"
 * import { LarderTest, Timeline } from "@larder/testing"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const prices = yield* Larder.make({
 *     name: "prices",
 *     upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(120) }),
 *     policy: Policy.make({ freshFor: "1 minute" }),
 *   })
 *   yield* prices.get("milk")
 *   return yield* Timeline.text
 * })
 * const text = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(LarderTest.layer)),
 * )
 * assert.match(text, /0\.000 s \| -> get milk/)
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const text: Effect.Effect<string, never, Timeline> = Effect.map(shownBy, lanes)

/**
 * The timeline as a picture: an SVG document, with a lane for each node.
 *
 * **Example**
 *
 * ```ts
 * import { LarderTest, Timeline } from "@larder/testing"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const svg = await Effect.runPromise(Effect.provide(Timeline.svg, LarderTest.layer))
 * assert.match(svg, /^<svg /)
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const svg: Effect.Effect<string, never, Timeline> = Effect.map(shownBy, svgOf)

/**
 * Adds a remark to the timeline, in the lane of the node that runs the effect.
 *
 * **Example**
 *
 * ```ts
 * import { LarderTest, Timeline } from "@larder/testing"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.andThen(Timeline.note("the price changes"), Timeline.text)
 * const text = await Effect.runPromise(Effect.provide(program, LarderTest.layer))
 * assert.match(text, /# the price changes/)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const note = (remark: string): Effect.Effect<void, never, Timeline> =>
  Effect.gen(function* () {
    const recording = yield* Timeline
    recording.note(yield* NodeName, remark)
  })

/**
 * Options of {@link expect}: which records count. Default: those of all nodes and larders.
 *
 * @category options
 * @since 0.1.0
 */
export interface ExpectOptions {
  /** The name of a node. */
  readonly node?: string | undefined
  /** The name of a larder. */
  readonly larder?: string | undefined
}

const expectNames: NamesOf<ExpectOptions> = { node: true, larder: true }

/**
 * Assertions about a key, or about all. Each is an effect that dies with {@link AssertionFailed}
 * where it does not hold, also where it is about nothing: where no caller got a value, asked, or changed
 * anything, where the timeline has no record of the node or of the larder, or where it has forgotten
 * records. It dies with
 * `InvalidOptions` for a number or a duration that cannot be used.
 *
 * @category models
 * @since 0.1.0
 */
export interface Expectation {
  /**
   * Exactly so many lookups began, those in the background included; without a key, of all keys together.
   * `lookups(0)`: it was never looked up. That holds also for a key that nobody asked for.
   */
  readonly lookups: (count: number) => Effect.Effect<void, never, Timeline>
  /** At most so many lookups began, counted as by `lookups`. 0: it was never looked up. */
  readonly lookupsAtMost: (count: number) => Effect.Effect<void, never, Timeline>
  /** No caller got a value that upstream had validated longer ago than this. */
  readonly neverServedOlderThan: (age: Duration.Input) => Effect.Effect<void, never, Timeline>
  /**
   * No call took longer, or has waited for longer so far, failures and changes included. A caller that was
   * interrupted, or whose node was killed, does not count.
   */
  readonly answeredWithin: (time: Duration.Input) => Effect.Effect<void, never, Timeline>
  /**
   * This long after each change (`set`, `expire`, `remove`, tags, `clear`) was called, the arbiter had it,
   * and no caller on any node got an older value as fresh. What was looked up after the change is not older.
   * Without an arbiter the versions of nodes do not compare: only the node of the change counts. No record
   * tells when a value of `tierWrites: "background"` was written, so that it does not count as settled: look
   * at `queuedWrites` of the larder's `stats`.
   */
  readonly settlesWithin: (time: Duration.Input) => Effect.Effect<void, never, Timeline>
}

/**
 * Assertions about a key; without one, about every key. A number is the key of a larder whose keys are
 * numbers; for keys of other types give the text that the larder's `key` makes. Throws `InvalidOptions`
 * for an unknown option.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, Policy, Upstream } from "@larder/core"
 * import { LarderTest, Timeline } from "@larder/testing"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const prices = yield* Larder.make({
 *     name: "prices",
 *     upstream: Upstream.make({
 *       lookup: (_: string) => Effect.delay(Effect.succeed(120), "50 millis"),
 *     }),
 *     policy: Policy.make({ freshFor: "1 minute" }),
 *   })
 *   yield* LarderTest.settle(
 *     Effect.all([prices.get("milk"), prices.get("milk")], { concurrency: "unbounded" }),
 *   )
 *   yield* Timeline.expect("milk").lookups(1)
 *   yield* Timeline.expect("milk").answeredWithin("50 millis")
 *   yield* Timeline.expect().neverServedOlderThan("1 minute")
 * })
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(LarderTest.layer)))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const expect = (key?: string | number, options: ExpectOptions = {}): Expectation => {
  checkNames("Timeline", expectNames, options)
  const subject = { key: keyText(key), node: options.node, larder: options.larder }
  const timed =
    (field: string, make: (millis: number) => checks.Check) => (input: Duration.Input) =>
      Effect.suspend(() => holds(subject, make(millisOf("Timeline", field, input))))
  const counted = (field: string, make: (count: number) => checks.Check) => (count: number) =>
    Effect.suspend(() => {
      if (Number.isSafeInteger(count) && count >= 0) return holds(subject, make(count))
      const must = "be an integer of at least 0"
      throw InvalidOptions.of({ module: "Timeline", field, must, got: count })
    })
  return {
    lookups: counted("lookups", (count) => checks.lookups(count, count)),
    lookupsAtMost: counted("lookupsAtMost", (count) => checks.lookups(0, count)),
    neverServedOlderThan: timed("neverServedOlderThan", checks.neverOlderThan),
    answeredWithin: timed("answeredWithin", checks.answeredWithin),
    settlesWithin: timed("settlesWithin", settlesWithin),
  }
}

/** As larders make texts of keys without a `key` function. */
const keyText = (key: unknown): string | undefined => {
  if (key === undefined) return undefined
  if (typeof key === "number") return `#${key}`
  if (typeof key === "string") return key.startsWith("#") ? `#${key}` : key
  const must = "be a string or a number, or be left out for every key"
  throw InvalidOptions.of({ module: "Timeline", field: "key", must, got: key })
}

const holds = (given: checks.Subject, check: checks.Check): Effect.Effect<void, never, Timeline> =>
  Effect.gen(function* () {
    const recording = yield* Timeline
    const { keyOf, records } = displayed(recording.records, yield* provided)
    const { began, clusterOf, forgotten, larders, nodes } = recording
    const subject = { ...given, key: given.key === undefined ? undefined : keyOf(given.key) }
    const surroundings = { now: recording.now(), began, clusterOf }
    const violation =
      checks.forgotten({ forgotten, records }) ??
      checks.unknownName({ larders, nodes, records }, subject) ??
      check(records, subject, surroundings)
    if (violation === undefined) return
    const { moment } = violation
    const message = `${violation.message}${checks.unknownKey(records, subject)}`
    const shown = { records, began, nodes }
    return yield* Effect.die(
      new AssertionFailed({ message: explained(shown, { message, moment }) }),
    )
  })

/** The message of a violation, the lanes around it, and the decisions that led to it. */
const explained = (
  { began, nodes, records }: Pick<Recording, "began" | "nodes" | "records">,
  { message, moment }: checks.Violation,
): string => {
  const at = moment === undefined ? records.length : records.indexOf(moment)
  const shown = records.filter(({ _tag }) => _tag !== "Decided")
  const place = moment === undefined ? shown.length : shown.indexOf(moment)
  const around = shown.slice(Math.max(0, place - recordsBefore), place + recordsAfter + 1)
  const picture = lanesOfPart({ records: around, began, nodes, moment })
  return [message, "", picture, ...decisionsBefore(records.slice(0, at + 1), moment)].join("\n")
}

/** The decisions of the node and the larder on a key of the record, since a caller last arrived. */
const decisionsBefore = (
  records: ReadonlyArray<Record>,
  moment: Record | undefined,
): ReadonlyArray<string> => {
  if (moment === undefined || moment._tag === "Noted" || moment._tag === "Decided") return []
  const { larder, node } = moment
  const keys = moment._tag === "Happened" ? keysOf(moment.event) : moment.keys
  const decided = records.filter(
    (record): record is Decided =>
      record._tag === "Decided" && record.node === node && record.larder === larder,
  )
  const key = decided.findLast((one) => keys.includes(one.key))?.key
  if (key === undefined) return []
  const ofKey = decided.filter((one) => one.key === key)
  const arrived = ofKey.findLastIndex(({ situation }) => situation.trigger === "arrived")
  const last = ofKey.slice(Math.max(0, arrived))
  return [
    "",
    `The last decisions on ${node} for ${key}:`,
    ...last.map(({ action, situation }) => `  ${decisionText(situation, action)}`),
  ]
}

const keysOf = (event: object): ReadonlyArray<string> =>
  "key" in event && typeof event.key === "string" ? [event.key] : []
