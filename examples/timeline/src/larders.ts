/** What each node caches: posts, the ids of an author's posts, the ids pushed to a reader, whom a reader follows. */
import { Larder, Policy, Upstream } from "@larder/core"
import { Context, Effect, Exit, Layer, Schema } from "effect"
import { Follow, Network, Post, PostGone } from "./network.ts"

/** The earliest followers of an author, to whom posts are pushed. The others pull. */
export class PushLimit extends Context.Reference<number>("timeline/PushLimit", {
  defaultValue: () => 1_000,
}) {}

const policy = Policy.make({
  freshFor: "5 minutes",
  staleWhileRevalidate: "1 minute",
  staleIfError: "1 hour",
  softTimeout: "200 millis",
  hardTimeout: "2 seconds",
})

/** Marks the posts that show another one. */
export const quoteTag = (id: number) => `quotes:${id}`

const gone = (id: number) => Exit.fail(new PostGone({ id }))

export class Posts extends Larder.Service<Posts>()("timeline/Posts", {
  value: Post,
  upstream: Upstream.make({
    lookup: (id: number) =>
      Network.use(({ posts }) =>
        Effect.flatMap(posts([id]), (found) => Effect.fromNullishOr(found.get(id))),
      ).pipe(Effect.catchTag("NoSuchElementError", () => gone(id))),
    lookupMany: (ids: ReadonlyArray<number>) =>
      Network.use(({ posts }) =>
        Effect.map(
          posts(ids),
          (found) => new Map(ids.map((id) => [id, found.get(id) ?? gone(id)])),
        ),
      ),
  }),
  policy,
  tags: ({ quoted }) => (quoted === undefined ? [] : [quoteTag(quoted.id)]),
  // Timelines hold ids of deleted posts for a while: nobody asks for them again and again.
  failureFor: (error) => (error._tag === "PostGone" ? "1 minute" : 0),
  graceFor: (error) => error._tag !== "PostGone",
}) {}

const Ids = Schema.Array(Schema.Finite)

export class Authored extends Larder.Service<Authored>()("timeline/Authored", {
  value: Ids,
  upstream: Upstream.make({
    lookup: (author: string) => Network.use(({ newestOf }) => newestOf(author)),
  }),
  policy,
}) {}

export class Pushed extends Larder.Service<Pushed>()("timeline/Pushed", {
  value: Ids,
  upstream: Upstream.make({
    lookup: (user: string) =>
      Effect.flatMap(PushLimit, (first) => Network.use(({ pushedTo }) => pushedTo(user, first))),
  }),
  policy,
}) {}

export class Followed extends Larder.Service<Followed>()("timeline/Followed", {
  value: Schema.Array(Follow),
  upstream: Upstream.make({
    lookup: (user: string) => Network.use(({ followedBy }) => followedBy(user)),
  }),
  policy,
}) {}

export type Larders = Posts | Authored | Pushed | Followed

export const layer = Layer.mergeAll(Posts.layer, Authored.layer, Pushed.layer, Followed.layer)
