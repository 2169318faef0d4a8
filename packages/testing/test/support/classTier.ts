/** A tier of classes with private state, as a user may write it: its methods need their `this`. */
import { MemoryTier, Tier } from "@larder/core"
import { Effect, Layer, type Scope } from "effect"

class ClassArbiter implements Tier.Arbiter {
  readonly #inner: Tier.Arbiter

  constructor(inner: Tier.Arbiter) {
    this.#inner = inner
  }

  acquire(...args: Parameters<Tier.Arbiter["acquire"]>) {
    return this.#inner.acquire(...args)
  }
  renew(...args: Parameters<Tier.Arbiter["renew"]>) {
    return this.#inner.renew(...args)
  }
  release(...args: Parameters<Tier.Arbiter["release"]>) {
    return this.#inner.release(...args)
  }
  commit(...args: Parameters<Tier.Arbiter["commit"]>) {
    return this.#inner.commit(...args)
  }
  acquireAll(requests: ReadonlyArray<Tier.AcquireRequest>) {
    return this.#inner.acquireAll!(requests)
  }
  commitAll(commits: ReadonlyArray<Tier.CommitRequest>) {
    return this.#inner.commitAll!(commits)
  }
  write(...args: Parameters<Tier.Arbiter["write"]>) {
    return this.#inner.write(...args)
  }
  mark(...args: Parameters<Tier.Arbiter["mark"]>) {
    return this.#inner.mark(...args)
  }
  marks(since: number) {
    return this.#inner.marks(since)
  }
  versions(keys: ReadonlyArray<string>) {
    return this.#inner.versions!(keys)
  }
  listen(receive: (message: Tier.Message) => void) {
    return this.#inner.listen!(receive)
  }
}

/** What `partOf` has answered. */
export const parts = new Set<string>()

class ClassStore implements Tier.ByteStore {
  readonly #inner: Tier.ByteStore
  readonly #arbiter: Tier.Arbiter

  constructor(inner: Tier.ByteStore) {
    this.#inner = inner
    this.#arbiter = new ClassArbiter(inner.arbiter!)
  }

  get arbiter(): Tier.Arbiter {
    return this.#arbiter
  }
  read(keys: ReadonlyArray<string>) {
    return this.#inner.read(keys)
  }
  put(...args: Parameters<Tier.ByteStore["put"]>) {
    return this.#inner.put(...args)
  }
  drop(...args: Parameters<Tier.ByteStore["drop"]>) {
    return this.#inner.drop(...args)
  }
  partOf(key: string | undefined): string {
    const part = this.#inner.partOf?.(key) ?? "the only part"
    parts.add(part)
    return part
  }
}

class ClassTier implements Tier.ByteTier {
  readonly kind = "bytes" as const
  readonly #inner: Tier.ByteTier

  constructor(inner: Tier.ByteTier) {
    this.#inner = inner
  }

  get name(): string {
    return this.#inner.name
  }
  get scope() {
    return this.#inner.scope
  }
  get abilities() {
    return this.#inner.abilities
  }
  open(
    options: Parameters<Tier.ByteTier["open"]>[0],
  ): Effect.Effect<Tier.ByteStore, never, Scope.Scope> {
    return Effect.map(this.#inner.open(options), (store) => new ClassStore(store))
  }
}

export const layer: Layer.Layer<Tier.Tier> = Layer.effect(
  Tier.Tier,
  Effect.map(Tier.Tier, (tier) => (tier.kind === "bytes" ? new ClassTier(tier) : tier)),
).pipe(Layer.provide(Layer.fresh(MemoryTier.layerShared)))
