/** What users do: post, follow, read, delete. */
import type { Larder } from "@larder/core"
import { Effect, Exit, Option } from "effect"
import { Authored, Followed, Posts, Pushed, PushLimit, quoteTag } from "./larders.ts"
import {
  type Draft,
  longest,
  Network,
  type NetworkDown,
  type Post,
  type PostGone,
} from "./network.ts"

/** Puts an id into a list that has the newest first. The same id again changes nothing. */
export const withId =
  (id: number) =>
  (ids: ReadonlyArray<number>): ReadonlyArray<number> =>
    ids.includes(id) ? ids : merged([ids, [id]])

/** The newest of several lists, each once, the newest first. */
export const merged = (lists: ReadonlyArray<ReadonlyArray<number>>): ReadonlyArray<number> =>
  [...new Set(lists.flat())].toSorted((a, b) => b - a).slice(0, longest)

/**
 * Saves a post. Once this has ended, its author and all who pull see it on every node: the list of the
 * author's posts is written through, so that no reader keeps one without it.
 */
export const publish = Effect.fnUntraced(function* (draft: Draft) {
  const network = yield* Network
  const id = yield* network.newId
  yield* network.publish(id, draft).pipe(Authored.through(draft.author))
  return id
})

const pushesAtOnce = 32

/**
 * Puts a post into the timelines of the earliest followers that are in the cache. Others are made anew
 * from the source when they are read, the post included. A timeline that is being made while this runs is
 * waited for, so that it gets the post as well.
 */
export const push = Effect.fnUntraced(function* (author: string, id: number) {
  const { followers } = yield* Network
  const insert = (ids: Option.Option<ReadonlyArray<number>>) =>
    Effect.succeed(Option.map(ids, withId(id)))
  yield* Effect.forEach(
    yield* followers(author, yield* PushLimit),
    (follower) =>
      Pushed.update(follower, insert).pipe(
        // The next reader makes it anew from the source, which has the post.
        Effect.catchTag(["Contended", "NotSettled"], () => Pushed.expire(follower)),
      ),
    { concurrency: pushesAtOnce, discard: true },
  )
})

/** Both lists depend on whom a reader follows. */
export const follow = (user: string, author: string) =>
  Network.use((network) => network.follow(user, author)).pipe(
    Followed.around(user),
    Pushed.around(user),
  )

/**
 * Deletes a post. Once this has ended, no timeline shows it, and no post that quotes it shows its text,
 * even if the source is down. Timelines keep the id, which leads to nothing.
 *
 * It is no longer fresh before it is deleted: a process that dies in between leaves nothing that shows it.
 */
export const remove = ({ author, id }: Pick<Post, "author" | "id">) =>
  Network.use((network) => network.remove(id)).pipe(
    Posts.around({ keys: [id], tags: quoteTag(id) }, { before: "expire", keepStale: false }),
    Authored.around(author),
  )

/** Merges what was pushed to a reader with what it pulls: posts of its own, and of those it followed late. */
const idsFor = Effect.fnUntraced(function* (user: string) {
  const first = yield* PushLimit
  const [pushed, followed] = yield* Effect.all([Pushed.get(user), Followed.get(user)], {
    concurrency: "unbounded",
  })
  const late = followed.filter(({ place }) => place >= first).map(({ author }) => author)
  const pulled = yield* Authored.getMany([user, ...late])
  return merged([pushed, ...(yield* Effect.all([...pulled.values()]))])
})

/** The newest posts of these that there are: deleted ones are left out. */
const assemble = (
  ids: ReadonlyArray<number>,
  count: number,
): Effect.Effect<
  ReadonlyArray<Post>,
  NetworkDown | PostGone | Larder.LarderError | Larder.KeyNotReturned,
  Posts
> =>
  Effect.gen(function* () {
    if (ids.length === 0 || count === 0) return []
    const exits = yield* Posts.getMany(ids.slice(0, count))
    const posts: Array<Post> = []
    for (const exit of exits.values()) {
      const failure = Exit.findErrorOption(exit)
      if (Option.isSome(failure) && failure.value._tag === "PostGone") continue
      posts.push(yield* exit)
    }
    return [...posts, ...(yield* assemble(ids.slice(count), count - posts.length))]
  })

/** The newest posts that a user sees. */
export const read = (user: string, count = 20) =>
  Effect.flatMap(idsFor(user), (ids) => assemble(ids, count))
