/** The source: who follows whom, and who has posted what. A database, of which each query takes a while. */
import { Context, Data, Effect, Layer, Random, Schema } from "effect"

/** A post as its readers see it: what it quotes is part of it. */
export const Post = Schema.Struct({
  id: Schema.Finite,
  author: Schema.String,
  text: Schema.String,
  quoted: Schema.UndefinedOr(
    Schema.Struct({ id: Schema.Finite, author: Schema.String, text: Schema.String }),
  ),
})
export type Post = typeof Post.Type

export interface Draft {
  readonly author: string
  readonly text: string
  readonly quotes?: number | undefined
}

/** The place of a follower among all that follow the author, the earliest first, from 0. */
export const Follow = Schema.Struct({ author: Schema.String, place: Schema.Finite })
export type Follow = typeof Follow.Type

export class PostGone extends Data.TaggedError("PostGone")<{ readonly id: number }> {}
export class NetworkDown extends Data.TaggedError("NetworkDown")<{}> {}

/** How many ids of an author, or of a timeline, a query returns at most. */
export const longest = 100

type Query<A, E = never> = Effect.Effect<A, E | NetworkDown>

/** Lists of ids have the newest first. */
export class Network extends Context.Service<
  Network,
  {
    /** An id above all before it. Nodes draw ids without a query. */
    readonly newId: Effect.Effect<number>
    /** Saves a post, and returns the newest of its author: one statement. */
    readonly publish: (id: number, draft: Draft) => Query<ReadonlyArray<number>>
    readonly remove: (id: number) => Query<void>
    readonly posts: (ids: ReadonlyArray<number>) => Query<ReadonlyMap<number, Post>>
    readonly newestOf: (author: string) => Query<ReadonlyArray<number>>
    /** The newest of the authors whom the user follows from a place before `first`. */
    readonly pushedTo: (user: string, first: number) => Query<ReadonlyArray<number>>
    readonly follow: (user: string, author: string) => Query<void>
    readonly followedBy: (user: string) => Query<ReadonlyArray<Follow>>
    /** The earliest followers of an author. */
    readonly followers: (author: string, first: number) => Query<ReadonlyArray<string>>
    /** How many queries there have been. */
    readonly queries: Effect.Effect<number>
    /** Whether every query fails from now on. */
    readonly setDown: (isDown: boolean) => Effect.Effect<void>
  }
>()("timeline/Network") {}

const newestFirst = (ids: Iterable<number>): ReadonlyArray<number> =>
  [...ids].toSorted((a, b) => b - a).slice(0, longest)

class Tables {
  readonly #drafts = new Map<number, Draft>()
  readonly #followers = new Map<string, Array<string>>()
  readonly #followed = new Map<string, Array<Follow>>()
  readonly #authored = new Map<string, Array<number>>()
  #lastId = 0
  queries = 0
  isDown = false

  newId(): number {
    return ++this.#lastId
  }

  insert(id: number, draft: Draft): void {
    this.#drafts.set(id, draft)
    const ids = this.#authored.get(draft.author)
    if (ids === undefined) this.#authored.set(draft.author, [id])
    else ids.push(id)
  }

  delete(id: number): void {
    const draft = this.#drafts.get(id)
    if (draft === undefined) return
    this.#drafts.delete(id)
    const others = this.newestOf(draft.author).filter((other) => other !== id)
    this.#authored.set(draft.author, others.toReversed())
  }

  post(id: number): Post | undefined {
    const draft = this.#drafts.get(id)
    if (draft === undefined) return undefined
    const { author, quotes, text } = draft
    const quoted = quotes === undefined ? undefined : this.#drafts.get(quotes)
    return {
      ...{ id, author, text },
      quoted: quoted && { id: quotes!, author: quoted.author, text: quoted.text },
    }
  }

  newestOf(author: string): ReadonlyArray<number> {
    return newestFirst(this.#authored.get(author) ?? [])
  }

  follow(user: string, author: string): void {
    const followed = this.followedBy(user)
    if (followed.some((one) => one.author === author)) return
    const followers = this.followersOf(author)
    this.#followed.set(user, [...followed, { author, place: followers.length }])
    if (followers.length === 0) this.#followers.set(author, [user])
    else this.#followers.get(author)!.push(user)
  }

  followedBy(user: string): ReadonlyArray<Follow> {
    return this.#followed.get(user) ?? []
  }

  followersOf(author: string): ReadonlyArray<string> {
    return this.#followers.get(author) ?? []
  }

  pushedTo(user: string, first: number): ReadonlyArray<number> {
    return newestFirst(
      this.followedBy(user)
        .filter(({ place }) => place < first)
        .flatMap(({ author }) => this.newestOf(author)),
    )
  }
}

/**
 * A database in this process. The way to it and the way back take half of `millis` each, at random
 * by a share of up to `jitter`, at most 1, less or more.
 */
export const layer = (millis: number, jitter = 0): Layer.Layer<Network> =>
  Layer.sync(Network, () => {
    const tables = new Tables()
    const way = Effect.flatMap(Random.nextBetween(1 - jitter, 1 + jitter), (share) =>
      Effect.sleep((share * millis) / 2),
    )
    const query = <A>(run: () => A): Query<A> =>
      Effect.suspend(() => {
        tables.queries += 1
        const ran = Effect.suspend(() =>
          tables.isDown ? Effect.fail(new NetworkDown()) : Effect.sync(run),
        )
        return Effect.andThen(way, Effect.tap(ran, way))
      })
    return Network.of({
      newId: Effect.sync(() => tables.newId()),
      publish: (id, draft) =>
        query(() => {
          tables.insert(id, draft)
          return tables.newestOf(draft.author)
        }),
      remove: (id) => query(() => tables.delete(id)),
      posts: (ids) =>
        query(() => {
          const found = ids.map((id) => [id, tables.post(id)] as const)
          return new Map(found.flatMap(([id, post]) => (post === undefined ? [] : [[id, post]])))
        }),
      newestOf: (author) => query(() => tables.newestOf(author)),
      pushedTo: (user, first) => query(() => tables.pushedTo(user, first)),
      follow: (user, author) => query(() => tables.follow(user, author)),
      followedBy: (user) => query(() => tables.followedBy(user)),
      followers: (author, first) => query(() => tables.followersOf(author).slice(0, first)),
      queries: Effect.sync(() => tables.queries),
      setDown: (isDown) =>
        Effect.sync(() => {
          tables.isDown = isDown
        }),
    })
  })
