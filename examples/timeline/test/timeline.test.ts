/** What readers see, on the node of the author and on another. */
import { LarderTest, Timeline as Records } from "@larder/testing"
import { assert, describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Option } from "effect"
import { Authored, Posts, Pushed } from "../src/larders.ts"
import { longest, Network } from "../src/network.ts"
import * as Timeline from "../src/timeline.ts"
import { followers, nodes, on, post, queryMillis, seen, test } from "./world.ts"

describe("a post", () => {
  test(
    "is visible to its author at once, on every node",
    Effect.gen(function* () {
      const [a, b] = yield* nodes
      expect(yield* seen(a, "ada")).toEqual([])
      expect(yield* seen(b, "ada")).toEqual([])
      yield* on(a, Timeline.publish({ author: "ada", text: "hello" }))
      expect(yield* seen(a, "ada")).toEqual(["hello"])
      expect(yield* seen(b, "ada")).toEqual(["hello"])
      // Written through: the list of the author's posts was looked up before the post alone.
      yield* Records.expect("ada", { larder: "timeline/Authored" }).lookups(1)
    }),
  )

  test(
    "is not hidden by a reader that read the source before",
    Effect.gen(function* () {
      const [a, b] = yield* nodes
      const reading = yield* Effect.forkScoped(b.run(Authored.get("ada")))
      yield* LarderTest.advance(queryMillis / 2 + 1)
      yield* on(a, Timeline.publish({ author: "ada", text: "hello" }))
      yield* LarderTest.settle(Fiber.join(reading))
      expect(yield* seen(b, "ada")).toEqual(["hello"])
      expect(yield* seen(a, "ada")).toEqual(["hello"])
    }),
  )

  test(
    "is pushed to the earliest followers, and pulled by the others",
    Effect.gen(function* () {
      const [a, b] = yield* nodes
      yield* followers(a, "ada", ["one", "two", "three"])
      for (const user of ["one", "two", "three"]) expect(yield* seen(b, user)).toEqual([])
      const id = yield* post(a, "ada", "hello")
      for (const user of ["one", "two", "three"]) expect(yield* seen(b, user)).toEqual(["hello"])
      const pushed = yield* on(b, Pushed.getMany(["one", "two", "three"]))
      const lists = yield* Effect.all([...pushed.values()])
      expect(lists).toEqual([[id], [id], []])
      // Nobody's timeline was made anew for it.
      for (const user of ["one", "two", "three"]) {
        yield* Records.expect(user, { larder: "timeline/Pushed" }).lookups(1)
      }
      // Those who pull have the post without being pushed to: one list for all of them.
      yield* Records.expect("ada", { larder: "timeline/Authored" }).lookups(1)
    }),
  )

  test(
    "is seen by those who pull before anything is pushed",
    Effect.gen(function* () {
      const [a, b] = yield* nodes
      yield* followers(a, "ada", ["one", "two", "three"])
      for (const user of ["one", "three"]) yield* seen(b, user)
      yield* on(a, Timeline.publish({ author: "ada", text: "hello" }))
      expect(yield* seen(b, "three")).toEqual(["hello"])
      expect(yield* seen(b, "one")).toEqual([])
    }),
  )

  test(
    "is in the timeline of a follower who comes later, from the source",
    Effect.gen(function* () {
      const [a, b] = yield* nodes
      yield* followers(a, "ada", ["one"])
      yield* post(a, "ada", "hello")
      yield* Records.expect("one", { larder: "timeline/Pushed" }).lookups(0)
      expect(yield* seen(b, "one")).toEqual(["hello"])
    }),
  )

  test(
    "is not lost by a timeline that was being made from the source meanwhile",
    Effect.gen(function* () {
      const [a, b] = yield* nodes
      yield* followers(a, "ada", ["one"])
      const { publish } = yield* Network
      const reading = yield* Effect.forkScoped(b.run(Pushed.get("one")))
      // The source has answered with the timeline from before the post, and nobody has it yet.
      yield* LarderTest.advance(queryMillis / 2 + 1)
      yield* Effect.forkScoped(publish(7, { author: "ada", text: "hello" }))
      const pushing = yield* Effect.forkScoped(a.run(Timeline.push("ada", 7)))
      expect(yield* LarderTest.settle(Fiber.join(reading))).toEqual([])
      yield* LarderTest.settle(Fiber.join(pushing))
      expect(yield* seen(b, "one")).toEqual(["hello"])
      yield* Records.expect("one", { larder: "timeline/Pushed" }).lookups(1)
    }),
  )

  test(
    "that is pushed twice is there once",
    Effect.gen(function* () {
      const [a, b] = yield* nodes
      yield* followers(a, "ada", ["one"])
      yield* seen(b, "one")
      const id = yield* post(a, "ada", "hello")
      yield* on(b, Timeline.push("ada", id))
      expect(yield* on(a, Pushed.get("one"))).toEqual([id])
    }),
  )
})

describe("a timeline", () => {
  test(
    "has the newest first, of all whom one follows, and of oneself",
    Effect.gen(function* () {
      const [a, b] = yield* nodes
      yield* followers(a, "ada", ["x", "y", "one"])
      yield* followers(a, "bob", ["one"])
      yield* post(a, "ada", "1")
      yield* post(b, "bob", "2")
      yield* post(a, "one", "3")
      yield* post(b, "ada", "4")
      expect(yield* seen(a, "one")).toEqual(["4", "3", "2", "1"])
      expect(yield* seen(b, "one", 2)).toEqual(["4", "3"])
    }),
  )

  test(
    "is bounded, however much is pushed",
    Effect.gen(function* () {
      const [a, b] = yield* nodes
      yield* followers(a, "ada", ["one"])
      yield* seen(a, "one")
      for (let n = 0; n < longest + 20; n += 1) yield* post(n % 2 === 0 ? a : b, "ada", `${n}`)
      const ids = yield* on(b, Pushed.get("one"))
      assert.strictEqual(ids.length, longest)
      expect(yield* seen(b, "one", 2)).toEqual([`${longest + 19}`, `${longest + 18}`])
    }),
  )

  test(
    "loses nothing to authors who post at the same moment on different nodes",
    Effect.gen(function* () {
      const [a, b] = yield* nodes
      const authors = ["ada", "bob", "cho", "dia"]
      for (const author of authors) yield* followers(a, author, ["one"])
      yield* seen(a, "one")
      yield* seen(b, "one")
      yield* Effect.forEach(
        authors,
        (author, n) =>
          (n % 2 === 0 ? a : b).run(
            Effect.tap(Timeline.publish({ author, text: author }), (id) =>
              Timeline.push(author, id),
            ),
          ),
        { concurrency: "unbounded", discard: true },
      ).pipe(LarderTest.settle)
      expect((yield* seen(a, "one")).toSorted()).toEqual(authors)
      yield* Records.expect("one", { larder: "timeline/Pushed" }).lookups(1)
    }),
  )

  test(
    "is put together with one query for the posts that the cache does not have",
    Effect.gen(function* () {
      const [a, b] = yield* nodes
      for (let n = 0; n < 10; n += 1) yield* post(a, "ada", `${n}`)
      yield* seen(a, "ada", 5)
      const { queries } = yield* Network
      const before = yield* queries
      expect(yield* seen(b, "ada", 10)).toHaveLength(10)
      // Whom she follows, and what was pushed to her, node A has asked for.
      expect((yield* queries) - before).toBe(1)
    }),
  )
})

describe("a deleted post", () => {
  test(
    "is in no timeline, on no node, and no quote shows its text",
    Effect.gen(function* () {
      const [a, b] = yield* nodes
      yield* followers(a, "ada", ["one", "two", "three"])
      const id = yield* post(a, "ada", "secret")
      yield* post(b, "bob", "look", id)
      expect(yield* seen(b, "one")).toEqual(["secret"])
      expect(yield* seen(b, "three")).toEqual(["secret"])
      expect(yield* seen(a, "bob")).toEqual(["look < secret"])
      yield* on(a, Timeline.remove({ author: "ada", id }))
      for (const node of [a, b]) {
        for (const user of ["one", "three", "ada"]) expect(yield* seen(node, user)).toEqual([])
        expect(yield* seen(node, "bob")).toEqual(["look"])
      }
    }),
  )

  test(
    "is not shown either when the source is down, unlike others",
    Effect.gen(function* () {
      const [a, b] = yield* nodes
      const { setDown } = yield* Network
      const id = yield* post(a, "ada", "secret")
      const quote = yield* post(a, "bob", "look", id)
      yield* post(a, "bob", "another")
      expect(yield* seen(b, "bob")).toEqual(["another", "look < secret"])
      yield* on(a, Timeline.remove({ author: "ada", id }))
      yield* setDown(true)
      const exits = yield* on(b, Posts.getMany([id, quote]))
      expect([...exits.values()].map((exit) => exit._tag)).toEqual(["Failure", "Failure"])
      expect(yield* seen(b, "bob", 1)).toEqual(["another"])
    }),
  )

  test(
    "makes room for an older one",
    Effect.gen(function* () {
      const [a, b] = yield* nodes
      for (const text of ["1", "2", "3"]) yield* post(a, "ada", text)
      const id = yield* post(a, "ada", "secret")
      yield* followers(a, "ada", ["one"])
      expect(yield* seen(b, "one", 2)).toEqual(["secret", "3"])
      expect(yield* on(b, Authored.get("ada"))).toContain(id)
      yield* on(b, Timeline.remove({ author: "ada", id }))
      expect(yield* seen(b, "one", 2)).toEqual(["3", "2"])
      expect(yield* seen(a, "ada", 4)).toEqual(["3", "2", "1"])
      // The list of the author's posts has room for another.
      expect(yield* on(a, Authored.get("ada"))).not.toContain(id)
    }),
  )

  test(
    "is asked for once by each node, although timelines keep its id",
    Effect.gen(function* () {
      const [a, b] = yield* nodes
      yield* followers(a, "ada", ["one"])
      const id = yield* post(a, "ada", "secret")
      yield* seen(b, "one")
      yield* on(a, Timeline.remove({ author: "ada", id }))
      for (let n = 0; n < 5; n += 1) expect(yield* seen(b, "one")).toEqual([])
      // Before the deletion, and after it.
      yield* Records.expect(id, { larder: "timeline/Posts" }).lookups(2)
    }),
  )

  test(
    "is not fresh anywhere when the process dies between the deletion and the cache",
    Effect.gen(function* () {
      const [a, b] = yield* nodes
      const id = yield* post(a, "ada", "secret")
      expect(yield* seen(b, "ada")).toEqual(["secret"])
      yield* Effect.forkScoped(a.run(Timeline.remove({ author: "ada", id })))
      // The source has deleted it, and the process has not heard.
      yield* LarderTest.advance(queryMillis / 2 + 1)
      yield* a.kill
      yield* LarderTest.advance("30 seconds")
      expect(yield* seen(b, "ada")).toEqual([])
    }),
  )
})

it("an id is put into a list once, in its place", () => {
  expect(Timeline.withId(2)([3, 1])).toEqual([3, 2, 1])
  expect(Timeline.withId(3)([3, 1])).toEqual([3, 1])
  expect(Option.map(Option.none<ReadonlyArray<number>>(), Timeline.withId(1))).toEqual(
    Option.none(),
  )
})
