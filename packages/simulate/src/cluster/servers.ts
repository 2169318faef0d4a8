/** An arbiter of several servers, as a Cluster has masters: one may be away while the others answer. */
import type { Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import type { Request } from "./way.ts"

export class Servers {
  readonly #count: number
  readonly #away = new Set<number>()
  /** By server, how many replicas have taken its place so far. */
  readonly #replaced = new Map<number, number>()

  constructor(count: number) {
    this.#count = count
  }

  /** Keys are on servers by their numbers; the first server has the marks, and keys without a number. */
  #serverOf(key: string | undefined): number {
    return Number(/\d+$/.exec(key ?? "")?.[0] ?? 0) % this.#count
  }

  /** The name of a key's server; `undefined` for the marks. A replica has a name of its own. */
  readonly partOf = (key: string | undefined): string => {
    const server = this.#serverOf(key)
    return `server ${server}.${this.#replaced.get(server) ?? 0}`
  }

  leave(server: number): void {
    this.#away.add(server % this.#count)
  }

  /** A replica with all records takes the place of the server. */
  replace(server: number): void {
    const place = server % this.#count
    this.#replaced.set(place, (this.#replaced.get(place) ?? 0) + 1)
    this.#away.delete(place)
  }

  heal(): void {
    this.#away.clear()
  }

  /** The tier, on these servers. A request of a server that is away gets no answer. */
  tier(tier: Tier.ByteTier): Tier.ByteTier {
    if (this.#count === 1) return tier
    return { ...tier, open: (of) => Effect.map(tier.open(of), (store) => this.#store(store)) }
  }

  #ask<A>(keys: ReadonlyArray<string | undefined>, request: Request<A>): Request<A> {
    return Effect.suspend(() =>
      keys.some((key) => this.#away.has(this.#serverOf(key))) ? Effect.never : request,
    )
  }

  #store(store: Tier.ByteStore): Tier.ByteStore {
    return {
      ...store,
      partOf: this.partOf,
      read: (keys) => this.#ask(keys, store.read(keys)),
      put: (key, ...rest) => this.#ask([key], store.put(key, ...rest)),
      drop: (key, ...rest) => this.#ask([key], store.drop(key, ...rest)),
      arbiter: store.arbiter && this.#arbiter(store.arbiter),
    }
  }

  #arbiter(arbiter: Tier.Arbiter): Tier.Arbiter {
    const { acquireAll, commitAll, versions } = arbiter
    const asked = (requests: ReadonlyArray<{ readonly key: string }>) =>
      requests.map(({ key }) => key)
    return {
      ...arbiter,
      acquire: (key, request) => this.#ask([key], arbiter.acquire(key, request)),
      renew: (key, ...rest) => this.#ask([key], arbiter.renew(key, ...rest)),
      release: (key, ...rest) => this.#ask([key], arbiter.release(key, ...rest)),
      commit: (key, ...rest) =>
        Effect.map(this.#ask([key], arbiter.commit(key, ...rest)), (done) =>
          this.#withoutMark(key, done),
        ),
      acquireAll: acquireAll && ((requests) => this.#ask(asked(requests), acquireAll(requests))),
      commitAll:
        commitAll &&
        ((commits) =>
          Effect.map(this.#ask(asked(commits), commitAll(commits)), (all) =>
            all.map((done, place) => done && this.#withoutMark(commits[place]!.key, done)),
          )),
      write: (key, ...rest) =>
        Effect.map(this.#ask([key], arbiter.write(key, ...rest)), (done) =>
          this.#withoutMark(key, done),
        ),
      mark: (...args) => this.#ask([undefined], arbiter.mark(...args)),
      marks: (since) => this.#ask([undefined], arbiter.marks(since)),
      versions: versions && ((keys) => this.#ask(keys, versions(keys))),
    }
  }

  /** Only the server with the marks tells of them. */
  #withoutMark<A extends { readonly lastMark: number | undefined }>(key: string, answer: A): A {
    const isThere = this.#serverOf(key) === this.#serverOf(undefined)
    return isThere ? answer : { ...answer, lastMark: undefined }
  }
}
