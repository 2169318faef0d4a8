/** Checks for every backplane: what links of one larder hear of each other, and links of another do not. */
import { Backplane, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import { strict as assert } from "node:assert"
import { freshName } from "./subject.ts"

/**
 * The input of a check: a backplane, and how time passes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Subject {
  /** The backplane, as its layer built it. */
  readonly backplane: Backplane.Backplane
  /** Lets this much time (ms) pass. */
  readonly pass: (millis: number) => Effect.Effect<void>
  /** How long a message may take at most, ms. */
  readonly deliveryMillis: number
  /** How long a check waits for a message that must not come, ms. */
  readonly quietMillis: number
}

/**
 * One rule of the contract, as a test.
 *
 * @category models
 * @since 0.1.0
 */
export interface Check {
  /** The rule, as the name of a test. */
  readonly name: string
  /** Fails, or dies with an `AssertionError`, when the backplane breaks the rule in the name. */
  readonly run: (subject: Subject) => Effect.Effect<void, unknown, Scope.Scope>
}

const stepMillis = 10

/** The messages of a link until `isAll` accepts them; gaps are no messages. */
const heard = (
  { deliveryMillis, pass }: Subject,
  link: Backplane.Link,
  isAll: (messages: ReadonlyArray<Backplane.Message>) => boolean,
) =>
  Effect.gen(function* () {
    const all: Array<Backplane.Message> = []
    for (let waited = 0; ; waited += stepMillis) {
      for (const each of yield* Queue.clear(link.messages)) if (each._tag !== "Gap") all.push(each)
      if (isAll(all)) return all
      assert.ok(
        waited < deliveryMillis,
        `within ${deliveryMillis} ms came only ${all.length} messages: ${JSON.stringify(all.slice(0, 3))}`,
      )
      yield* pass(stepMillis)
    }
  })

const keysOf = (messages: ReadonlyArray<Backplane.Message>): ReadonlySet<string> =>
  new Set(messages.flatMap((message) => (message._tag === "Changed" ? [message.key] : [])))

const changed = (key: string, node = "a"): Backplane.Message => ({
  _tag: "Changed",
  node,
  key,
  isRemoval: false,
})

/** Whether a change of this key has come. */
const has = (key: string) => (all: ReadonlyArray<Backplane.Message>) => keysOf(all).has(key)

/** A message as text. A field that is undefined may as well be absent; a tag may not. */
const shown = (message: Backplane.Message): string =>
  message._tag === "Changed"
    ? JSON.stringify([message.node, message.key, message.isRemoval, message.version])
    : JSON.stringify([
        message.node,
        message.tags.map((tag) => (tag === undefined ? 0 : tag)),
        message.keepStale,
        message.number,
      ])

const texts = [
  "k",
  "",
  " ",
  "K",
  ":",
  "{a}",
  "a,b",
  "%",
  '"',
  "\\",
  "null",
  "é",
  "🗝",
  "__proto__",
  "x".repeat(1_024),
]

const messages: ReadonlyArray<Backplane.Message> = [
  ...texts.map((key) => changed(key)),
  changed("node", "node: {1}"),
  { _tag: "Changed", node: "a", key: "removed", isRemoval: true },
  { _tag: "Changed", node: "a", key: "version", isRemoval: false, version: 2 ** 53 - 1 },
  ...texts.map((tag): Backplane.Message => ({
    _tag: "Marked",
    node: "a",
    tags: [tag],
    keepStale: true,
  })),
  { _tag: "Marked", node: "a", tags: [undefined], keepStale: false },
  { _tag: "Marked", node: "a", tags: ["one", undefined, "two"], keepStale: false, number: 7 },
  { _tag: "Marked", node: "a", tags: texts, keepStale: true, number: 2 ** 53 - 1 },
]

/** Links of one larder that no other check has. */
const links = ({ backplane }: Subject, count: number) =>
  Effect.flatMap(freshName("backplane"), (larder) =>
    Effect.forEach(Array.from({ length: count }), () => backplane.open({ larder })),
  )

/** Asserts that only changes of these keys have come, the last of them included. */
const onlyHears = (subject: Subject, link: Backplane.Link, keys: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const all = yield* heard(subject, link, has(keys.at(-1)!))
    yield* subject.pass(subject.quietMillis)
    const late = yield* Queue.clear(link.messages)
    const others = [...all, ...late.filter((one) => one._tag !== "Gap")]
    assert.deepEqual([...keysOf(others)].toSorted(), [...keys].toSorted())
  })

const rules: Readonly<Record<string, Check["run"]>> = {
  "it has a name": ({ backplane }) =>
    Effect.sync(() => {
      assert.ok(backplane.name.trim() !== "")
      assert.notEqual(backplane.name, Backplane.none.name)
    }),

  "a message arrives at every other link of its larder as it was sent": (subject) =>
    Effect.gen(function* () {
      const [one, other, third] = yield* links(subject, 3)
      for (const message of messages) yield* one!.publish(message)
      const expected = messages.map(shown).toSorted()
      for (const link of [other!, third!]) {
        const all = yield* heard(subject, link, (all) => all.length >= messages.length)
        assert.deepEqual([...new Set(all.map(shown))].toSorted(), expected)
      }
    }),

  "no message of a burst from several links is lost": (subject) =>
    Effect.gen(function* () {
      const [one, other, listening] = yield* links(subject, 3)
      const keys = Array.from({ length: 1_000 }, (_, i) => `key ${i}`)
      yield* Effect.forEach(
        keys,
        (key, i) => (i % 2 === 0 ? one! : other!).publish(changed(key, `node ${i % 2}`)),
        { concurrency: 100, discard: true },
      )
      const all = yield* heard(subject, listening!, (all) => keysOf(all).size >= keys.length)
      assert.deepEqual(keysOf(all), new Set(keys))
    }),

  "a link hears what is sent after it was opened, and nothing from before": (subject) =>
    Effect.gen(function* () {
      const larder = yield* freshName("backplane")
      const one = yield* subject.backplane.open({ larder })
      yield* one.publish(changed("before"))
      yield* subject.pass(subject.quietMillis)
      const other = yield* subject.backplane.open({ larder })
      yield* one.publish(changed("after"))
      yield* onlyHears(subject, other, ["after"])
    }),

  "messages of one larder do not reach another": (subject) =>
    Effect.gen(function* () {
      const name = yield* freshName("Larder")
      const names = [name, name.toLowerCase(), `${name}:b`, `${name}}`, `{${name}}`, `${name} `]
      const opened = yield* Effect.forEach(names, (larder) => subject.backplane.open({ larder }))
      for (const [i, link] of opened.entries()) yield* link.publish(changed(`of ${i}`))
      const listening = yield* Effect.forEach(names, (larder) => subject.backplane.open({ larder }))
      for (const [i, link] of listening.entries()) yield* link.publish(changed(`own ${i}`))
      for (const [i, link] of opened.entries()) {
        const all = yield* heard(subject, link, has(`own ${i}`))
        const foreign = [...keysOf(all)].filter((key) => !key.endsWith(` ${i}`))
        assert.deepEqual(foreign, [])
      }
    }),

  "a link that closes ends alone: others go on, and its messages end": (subject) =>
    Effect.gen(function* () {
      const larder = yield* freshName("backplane")
      const scope = yield* Scope.make()
      const closing = yield* Scope.provide(subject.backplane.open({ larder }), scope)
      const [one, other] = [
        yield* subject.backplane.open({ larder }),
        yield* subject.backplane.open({ larder }),
      ]
      yield* Scope.close(scope, Exit.void)
      yield* one.publish(changed("k"))
      yield* heard(subject, other, has("k"))
      const left = yield* Effect.exit(Queue.clear(closing.messages))
      assert.deepEqual(Exit.isSuccess(left) ? left.value : [], [])
      const again = yield* subject.backplane.open({ larder })
      yield* one.publish(changed("l"))
      yield* onlyHears(subject, again, ["l"])
    }),

  "a whole link has no gap": (subject) =>
    Effect.gen(function* () {
      const [one, other] = yield* links(subject, 2)
      yield* one!.publish(changed("k"))
      yield* subject.pass(subject.quietMillis)
      const all = yield* Queue.clear(other!.messages)
      assert.deepEqual(
        all.filter(({ _tag }) => _tag === "Gap"),
        [],
      )
    }),

  "law 18: a larder with memory alone serves nothing older than another node's change": (subject) =>
    Effect.gen(function* () {
      const name = yield* freshName("backplane")
      let value = 1
      const node = Larder.make({
        name,
        upstream: Upstream.make({ lookup: (_: string) => Effect.sync(() => value) }),
        policy: Policy.make({ freshFor: "1 hour", staleIfError: "2 hours" }),
      }).pipe(
        Effect.provide(TierStack.layer(MemoryTier.layer())),
        Effect.provideService(Backplane.Backplane, subject.backplane),
      )
      const [a, b] = [yield* node, yield* node]
      // Both links are open once a message of each has reached the other.
      for (const [one, other] of [
        [a, b],
        [b, a],
      ] as const) {
        yield* reaches(subject, one.set("probe", 1), other)
      }
      yield* b.get("k")
      value = 2
      yield* reaches(subject, a.set("k", 2), b)
      assert.equal(yield* b.get("k"), 2)
    }),
}

/** Waits until a change has outdated something at the other node. */
const reaches = (
  { deliveryMillis, pass }: Subject,
  change: Effect.Effect<unknown, unknown>,
  other: Larder.Larder<string, number>,
) =>
  Effect.gen(function* () {
    const received = Effect.map(
      other.stats,
      (stats) => stats.messagesReceived + stats.messagesIgnored,
    )
    const before = yield* received
    yield* change
    for (let waited = 0; (yield* received) === before; waited += stepMillis) {
      assert.ok(waited < deliveryMillis, `no message within ${deliveryMillis} ms`)
      yield* pass(stepMillis)
    }
  })

export const backplaneChecks: ReadonlyArray<Check> = Object.entries(rules).map(([name, run]) => ({
  name,
  run,
}))
