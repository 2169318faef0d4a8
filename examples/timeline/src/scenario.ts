/**
 * A famous author posts on one node, and followers read on another: what they see, when, and what it costs.
 */
import { Effect, Random } from "effect"
import { type Larders, PushLimit } from "./larders.ts"
import { type Cost, costOf, now } from "./measure.ts"
import { Network, type Post } from "./network.ts"
import * as Timeline from "./timeline.ts"

/** A process of the application. */
export interface Node {
  readonly run: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
  ) => Effect.Effect<A, E, Exclude<R, Larders>>
}

export interface Settings {
  readonly followers: number
  /** How many followers watch for the post, and read afterwards. */
  readonly readers: number
}

export interface Outcome {
  readonly pushLimit: number
  /** From the call to the moment at which the author sees the post, on the other node as well, ms. */
  readonly toAuthor: number
  /** From the call to the moment at which each watching follower saw it on the other node, ms. */
  readonly toFollowers: ReadonlyArray<number>
  /** Publishing and pushing the post. */
  readonly write: Cost
  /** All watching followers reading, after the author has posted once more, each once. */
  readonly reads: Cost
  readonly readers: number
  /** From the call of the deletion to the moment at which no watching follower saw the post, ms. */
  readonly toGone: number
  /** What somebody sees at a moment, for the story. */
  readonly seen: ReadonlyArray<Seen>
}

export interface Seen {
  readonly when: string
  readonly who: string
  readonly posts: ReadonlyArray<Post>
}

const famous = "ada"
/** Posts by whom followers see besides. */
const friends = ["bob", "cho", "dia", "eve"]
const readsAtOnce = 16

export const followerName = (place: number) => `reader-${place}`

/** Followers of the famous author, each of two friends as well, and some posts of everybody. */
const populate = Effect.fnUntraced(function* ({ followers }: Settings) {
  const network = yield* Network
  const places = Array.from({ length: followers }, (_, place) => place)
  yield* Effect.forEach(places, (place) => network.follow(followerName(place), famous), {
    concurrency: "unbounded",
    discard: true,
  })
  yield* Effect.forEach(
    places,
    (place) =>
      Effect.forEach([place % friends.length, (place + 1) % friends.length], (friend) =>
        network.follow(followerName(place), friends[friend]!),
      ),
    { concurrency: "unbounded", discard: true },
  )
  for (let round = 0; round < 5; round += 1) {
    for (const author of [famous, ...friends]) {
      yield* network.publish(yield* network.newId, { author, text: `${author} says ${round}` })
    }
  }
})

/** Evenly spread over all followers. */
const watchersOf = ({ followers, readers }: Settings): ReadonlyArray<string> =>
  Array.from({ length: readers }, (_, n) => followerName(Math.floor((n * followers) / readers)))

const shows = (id: number) => (posts: ReadonlyArray<Post>) => posts.some((post) => post.id === id)

const looksEveryMillis = 5

/** Reads until the timeline is as wanted, and returns the moment. */
const momentOf = (user: string, isWanted: (posts: ReadonlyArray<Post>) => boolean) =>
  Effect.gen(function* () {
    while (!isWanted(yield* Timeline.read(user))) yield* Effect.sleep(looksEveryMillis)
    return yield* now
  })

const allOf = <A, E, R>(
  users: ReadonlyArray<string>,
  each: (user: string) => Effect.Effect<A, E, R>,
) => Effect.forEach(users, each, { concurrency: "unbounded" })

/** `writing` is where the author is, `reading` where the followers are. */
export const run = Effect.fnUntraced(function* (
  { reading, writing }: { readonly reading: Node; readonly writing: Node },
  settings: Settings,
) {
  yield* populate(settings)
  const watchers = watchersOf(settings)
  const everybody = Array.from({ length: settings.followers }, (_, place) => followerName(place))
  // All have been here today: their timelines are in the cache.
  yield* reading.run(
    Effect.forEach([famous, ...everybody], (user) => Timeline.read(user), {
      concurrency: 64,
      discard: true,
    }),
  )

  const seen: Array<Seen> = []
  const tell = (when: string, users: Readonly<Record<string, string>>) =>
    Effect.forEach(
      Object.entries(users),
      ([who, user]) =>
        Effect.map(reading.run(Timeline.read(user, 2)), (posts) => seen.push({ when, who, posts })),
      { discard: true },
    )

  const began = yield* now
  const id = yield* writing.run(
    Timeline.publish({ author: famous, text: "Cache invalidation is solved." }),
  )
  const byAuthor = yield* Effect.all([
    writing.run(momentOf(famous, shows(id))),
    reading.run(momentOf(famous, shows(id))),
  ])
  const [byFollowers] = yield* Effect.all(
    [
      allOf(watchers, (user) => reading.run(momentOf(user, shows(id)))),
      writing.run(Timeline.push(famous, id)),
    ],
    { concurrency: "unbounded" },
  )
  const last = followerName(settings.followers - 1)
  yield* tell("after the post", {
    "the author": famous,
    "the first follower": followerName(0),
    "the last follower": last,
  })

  const second = yield* costOf(
    Effect.tap(
      writing.run(Timeline.publish({ author: famous, text: "Naming things is next.", quotes: id })),
      (quote) => writing.run(Timeline.push(famous, quote)),
    ),
  )
  const shuffled = yield* Random.shuffle(watchers)
  const reads = yield* costOf(
    reading.run(
      Effect.forEach(shuffled, (user) => Timeline.read(user), {
        concurrency: readsAtOnce,
        discard: true,
      }),
    ),
  )
  yield* tell("after a second one that quotes it", { "the last follower": last })

  const deleting = yield* now
  const goneAt = yield* Effect.andThen(
    writing.run(Timeline.remove({ author: famous, id })),
    allOf(watchers, (user) => reading.run(momentOf(user, (posts) => !shows(id)(posts)))),
  )
  yield* tell("after the first is deleted", {
    "the author": famous,
    "the first follower": followerName(0),
  })

  const outcome: Outcome = {
    pushLimit: yield* PushLimit,
    toAuthor: Math.max(...byAuthor) - began,
    toFollowers: byFollowers.map((moment) => moment - began),
    write: second.cost,
    reads: reads.cost,
    readers: watchers.length,
    toGone: Math.max(...goneAt) - deleting,
    seen,
  }
  return outcome
})
