/** The kit detects faults: each of these tiers breaks one rule, and fails at least one check. */
import { Arbitration, Envelope, MemoryTier, Tier } from "@larder/core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { expect, it } from "vitest"
import * as TierConformance from "../src/TierConformance.ts"

type Store = Tier.ByteStore
type Arbiter = Tier.Arbiter

const stored: Tier.Committed = { decision: "Stored", lastMark: Infinity }

/** The arbiter of `MemoryTier.layerShared`, changed; it may declare other limits. */
const withStore = (
  change: (store: Store, larder: string) => Store,
  limits?: Tier.LimitOptions | undefined,
) =>
  Layer.effect(
    Tier.Tier,
    Effect.gen(function* () {
      const built = yield* Layer.build(Layer.fresh(MemoryTier.layerShared))
      const tier = Context.get(built, Tier.Tier)
      if (tier.kind !== "bytes") throw new Error("a byte tier")
      return {
        ...tier,
        limits: limits ?? tier.limits,
        open: (options: { readonly larder: string }) =>
          Effect.map(tier.open(options), (store) => change(store, options.larder)),
      }
    }),
  )

const withArbiter = (change: (arbiter: Arbiter, store: Store) => Partial<Arbiter>) =>
  withStore((store) => {
    const arbiter = store.arbiter!
    const own: Arbiter = {
      acquire: (key, request) => arbiter.acquire(key, request),
      renew: (key, token, lease) => arbiter.renew(key, token, lease),
      release: (key, token, failed) => arbiter.release(key, token, failed),
      commit: (key, token, envelope, life) => arbiter.commit(key, token, envelope, life),
      write: (key, write, known) => arbiter.write(key, write, known),
      mark: (tags, keepStale, known) => arbiter.mark(tags, keepStale, known),
      marks: (since) => arbiter.marks(since),
      versions: arbiter.versions,
      listen: arbiter.listen,
    }
    return {
      read: (keys) => store.read(keys),
      put: (key, envelope, life) => store.put(key, envelope, life),
      drop: (key, version) => store.drop(key, version),
      arbiter: { ...own, ...change(own, store) },
    }
  })

/** As `layerShared`, with other messages and other limits. */
const withMessages = (
  change: (message: Tier.Message) => ReadonlyArray<Tier.Message>,
  limits: Tier.LimitOptions = {},
) =>
  Layer.effect(
    Tier.Tier,
    Effect.gen(function* () {
      const shared = MemoryTier.layerSharedWith(limits)
      const tier = Context.get(yield* Layer.build(shared), Tier.Tier) as Tier.ByteTier
      const told =
        (listen: NonNullable<Arbiter["listen"]>): Arbiter["listen"] =>
        (receive) =>
          listen((message) => {
            for (const each of change(message)) receive(each)
          })
      return {
        ...tier,
        open: (options: { readonly larder: string }) =>
          Effect.map(tier.open(options), (store) => ({
            ...plain(store),
            arbiter: { ...store.arbiter!, listen: told(store.arbiter!.listen!) },
          })),
      }
    }),
  )

const withVersions = (
  change: (stored: ReadonlyArray<Arbitration.Stored>) => ReadonlyArray<Arbitration.Stored>,
) =>
  withArbiter((_, { arbiter }) => ({
    versions: (keys) => Effect.map(arbiter!.versions!(keys), change),
  }))

type Batches = Required<{
  [O in "acquireAll" | "commitAll"]: NonNullable<Arbiter[O]>
}>

/** As the arbiter is, but for its batches. */
const withBatches = (change: (batches: Batches, arbiter: Arbiter) => Partial<Batches>) =>
  withArbiter((arbiter, { arbiter: real }) => {
    const batches: Batches = { acquireAll: real!.acquireAll!, commitAll: real!.commitAll! }
    return { ...batches, ...change(batches, arbiter) }
  })

const plain = (store: Store): Store => ({
  read: (keys) => store.read(keys),
  put: (key, envelope, life) => store.put(key, envelope, life),
  drop: (key, version) => store.drop(key, version),
  arbiter: store.arbiter,
})

/** Whether a tombstone of a version in microseconds is older than a minute. */
const isOlder = (tombstone: Uint8Array, now: number): boolean =>
  (Envelope.version(tombstone) ?? 0) / 1000 + 60_000 < now

const mutants: Readonly<Record<string, Layer.Layer<Tier.Tier>>> = {
  "notifies and has no arbiter": withStore((store) => ({ ...plain(store), arbiter: undefined })),
  "has an arbiter in one store and none in others": withStore((store, larder) => ({
    ...plain(store),
    arbiter: larder === "arbiter" ? store.arbiter : undefined,
  })),
  "has an arbiter in all stores but one": withStore((store, larder) => ({
    ...plain(store),
    arbiter: larder === "arbiter" ? undefined : store.arbiter,
  })),
  "answers in another order": withStore((store) => ({
    ...plain(store),
    read: (keys) => Effect.map(store.read(keys), (found) => found.toReversed()),
  })),
  "forgets keys beyond a thousand": withStore((store) => ({
    ...plain(store),
    read: (keys) => store.read(keys.slice(0, 1000)),
  })),
  "forgets tombstones after a minute": withStore((store) => ({
    ...plain(store),
    read: (keys) =>
      Effect.zipWith(store.read(keys), Clock.currentTimeMillis, (found, now) =>
        found.map((bytes) =>
          bytes !== undefined && Envelope.isTombstone(bytes) && isOlder(bytes, now)
            ? undefined
            : bytes,
        ),
      ),
  })),
  "keeps no record of an expire that met no value": withArbiter((arbiter, store) => ({
    write: (key, write, known) =>
      Effect.gen(function* () {
        const [found] = yield* store.read([key])
        if (write._tag !== "Expire" || found !== undefined) {
          return yield* arbiter.write(key, write, known)
        }
        const now = yield* Clock.currentTimeMillis
        return { version: 1_000 * now, time: now, lastMark: undefined }
      }),
  })),
  "forgets a lease after half a minute": withArbiter((arbiter) => ({
    commit: (key, token, envelope, life) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        token / 1000 + 30_000 < now
          ? Effect.succeed({ decision: "Lost", lastMark: undefined })
          : arbiter.commit(key, token, envelope, life),
      ),
  })),
  "stores delayed values for longer than the settleTime that it declares": withStore(plain, {
    settleTime: "30 seconds",
  }),
  "does not list keys that are looked up": withStore((store) => ({
    ...plain(store),
    keys: (prefix, after) =>
      Effect.gen(function* () {
        const page = yield* store.keys!(prefix, after)
        const found = yield* store.read(page.keys)
        return { ...page, keys: page.keys.filter((_, i) => found[i] !== undefined) }
      }),
  })),
  "ends its walk through keys with the first page": withStore((store) => ({
    ...plain(store),
    keys: (prefix, after) =>
      Effect.map(store.keys!(prefix, after), ({ keys }) => ({
        keys: keys.slice(0, 500),
        next: undefined,
      })),
  })),
  "takes a prefix for a pattern": withStore((store) => ({
    ...plain(store),
    keys: (_, after) =>
      Effect.map(store.keys!("", after), ({ keys, next }) => ({
        keys: keys.filter((key) => key.toLowerCase().startsWith("a")),
        next,
      })),
  })),
  "folds the case of keys": withStore((store) => ({
    ...plain(store),
    read: (keys) => store.read(keys.map((key) => key.toLowerCase())),
    put: (key, envelope, life) => store.put(key.toLowerCase(), envelope, life),
  })),
  "lets any version in": withStore((store) => ({
    ...plain(store),
    put: (key, envelope, life) =>
      Effect.andThen(
        store.drop(key, Number.MAX_SAFE_INTEGER),
        Effect.as(store.put(key, envelope, life), true),
      ),
  })),
  "never says that it refused": withStore((store) => ({
    ...plain(store),
    put: (key, envelope, life) => Effect.as(store.put(key, envelope, life), true),
  })),
  "keeps for ever": withStore((store) => ({
    ...plain(store),
    put: (key, envelope, life) => store.put(key, envelope, life > 0 ? Infinity : life),
  })),
  "lets lives end too soon": withStore((store) => ({
    ...plain(store),
    put: (key, envelope, life) => store.put(key, envelope, Math.min(life, 900)),
  })),
  "drops whatever the version": withStore((store) => ({
    ...plain(store),
    drop: (key) => store.drop(key, Number.MAX_SAFE_INTEGER),
  })),
  "does not drop": withStore((store) => ({ ...plain(store), drop: () => Effect.void })),
  "keeps nothing that has no life": withStore((store) => ({
    ...plain(store),
    put: (key, envelope, life) =>
      life > 0 ? store.put(key, envelope, life) : Effect.succeed(true),
  })),
  "stores what is no envelope": withStore((store) => ({
    ...plain(store),
    put: (key, envelope, life) =>
      Envelope.version(envelope) === undefined
        ? Effect.succeed(true)
        : store.put(key, envelope, life),
  })),
  "grants the lease to everybody": withArbiter((arbiter) => ({
    acquire: (key, request) => arbiter.acquire(key, { ...request, force: true }),
  })),
  "tells nothing of the tombstone below a lease": withArbiter((arbiter, store) => ({
    acquire: (key, request) =>
      Effect.zipWith(store.read([key]), arbiter.acquire(key, request), ([bytes], acquired) =>
        acquired._tag === "Won" && bytes !== undefined && Envelope.isTombstone(bytes)
          ? { ...acquired, storedVersion: 0 }
          : acquired,
      ),
  })),
  "does not force": withArbiter((arbiter) => ({
    acquire: (key, request) => arbiter.acquire(key, { ...request, force: false }),
  })),
  "lets a failure hold back those with nothing stale": withArbiter((arbiter) => ({
    acquire: (key, request) => arbiter.acquire(key, { ...request, despiteFailure: false }),
  })),
  "takes the lease for those with nothing stale": withArbiter((arbiter) => ({
    acquire: (key, request) =>
      arbiter.acquire(key, { ...request, force: request.force || request.despiteFailure === true }),
  })),
  "never answers what is newer": withArbiter((arbiter) => ({
    acquire: (key, request) =>
      arbiter.acquire(key, { ...request, known: Number.MAX_SAFE_INTEGER - 1 }),
  })),
  "holds leases ten times as long": withArbiter((arbiter) => ({
    acquire: (key, request) =>
      arbiter.acquire(key, { ...request, leaseMillis: request.leaseMillis * 10 }),
  })),
  "does not renew": withArbiter(() => ({ renew: () => Effect.succeed(true) })),
  "renews for everybody": withArbiter((arbiter) => ({
    renew: (key, token, lease) => Effect.as(arbiter.renew(key, token, lease), true),
  })),
  "does not take leases back": withArbiter(() => ({ release: () => Effect.void })),
  "forgets failures": withArbiter((arbiter) => ({
    release: (key, token) => arbiter.release(key, token, 0),
  })),
  "commits as if it were a set": withArbiter((arbiter) => ({
    commit: (key, _token, envelope, lifeMillis) =>
      Effect.map(
        arbiter.write(key, { _tag: "Set", envelope, lifeMillis }, 0),
        ({ lastMark }) => ({ decision: "Stored", lastMark }) as const,
      ),
  })),
  "puts where it should commit": withArbiter((_, store) => ({
    commit: (key, token, envelope, life) =>
      Effect.map(
        store.put(key, Envelope.withVersion(envelope, token), life),
        (done) => ({ decision: done ? "Stored" : "Superseded", lastMark: Infinity }) as const,
      ),
  })),
  "does not commit": withArbiter(() => ({
    commit: () => Effect.succeed({ decision: "Stored" as const, lastMark: Infinity }),
  })),
  "counts on from whatever it is told": withArbiter((arbiter) => ({
    acquire: (key, request) =>
      request.known > Arbitration.highestBrought
        ? Effect.succeed({ _tag: "Won", token: request.known + 1 })
        : arbiter.acquire(key, request),
  })),
  "ignores what the writer knows": withArbiter((arbiter) => ({
    write: (key, write) => arbiter.write(key, write, 0),
  })),
  "drops where it should remove": withArbiter((arbiter, store) => ({
    write: (key, write, known) =>
      write._tag === "Remove"
        ? Effect.andThen(
            store.drop(key, Number.MAX_SAFE_INTEGER),
            Effect.map(arbiter.marks(0), ({ time }) => ({
              version: time * 1000,
              time,
              lastMark: undefined,
            })),
          )
        : arbiter.write(key, write, known),
  })),
  "removes where it should expire": withArbiter((arbiter) => ({
    write: (key, write, known) =>
      arbiter.write(key, write._tag === "Expire" ? { _tag: "Remove" } : write, known),
  })),
  "does not expire": withArbiter((arbiter) => ({
    write: (key, write, known) =>
      write._tag === "Expire"
        ? Effect.map(arbiter.marks(0), ({ time }) => ({
            version: time * 1000 + 5,
            time,
            lastMark: undefined,
          }))
        : arbiter.write(key, write, known),
  })),
  "makes a change told later as if it were made now": withArbiter((arbiter) => ({
    write: (key, write, known) =>
      arbiter.write(key, "at" in write ? { ...write, at: undefined } : write, known),
  })),
  "takes an older value that was expired for a newer one": withArbiter((arbiter, store) => ({
    write: (key, write, known) =>
      Effect.flatMap(store.read([key]), ([found]) => {
        const version = (found && Envelope.version(found)) ?? 0
        const isOvertaken = write._tag !== "Expire" && version >= (write.at ?? Infinity)
        return isOvertaken
          ? Effect.succeed({ version, time: Math.floor(version / 1000), lastMark: version })
          : arbiter.write(key, write, known)
      }),
  })),
  "puts what was set earlier without looking at leases": withArbiter((arbiter, store) => ({
    write: (key, write, known) => {
      if (write._tag !== "Set" || write.at === undefined) return arbiter.write(key, write, known)
      const { at, envelope, lifeMillis } = write
      return Effect.andThen(
        store.put(key, Envelope.withVersion(envelope, at), lifeMillis),
        Effect.map(store.read([key]), ([bytes]) => ({
          version: bytes === undefined ? 0 : (Envelope.version(bytes) ?? 0),
          time: 0,
          lastMark: Infinity,
        })),
      )
    },
  })),
  "drops what was removed earlier": withArbiter((arbiter, store) => ({
    write: (key, write, known) =>
      write._tag === "Remove" && write.at !== undefined
        ? Effect.as(store.drop(key, write.at), { version: write.at, time: 0, lastMark: undefined })
        : arbiter.write(key, write, known),
  })),
  "ends every lease with a change told later": withArbiter((arbiter) => {
    const tokens = new Map<string, number>()
    return {
      acquire: (key, request) =>
        Effect.tap(arbiter.acquire(key, request), (acquired) =>
          Effect.sync(() => {
            if (acquired._tag === "Won") tokens.set(key, acquired.token)
          }),
        ),
      write: (key, write, known) =>
        Effect.tap(arbiter.write(key, write, known), () =>
          "at" in write && write.at !== undefined
            ? arbiter.release(key, tokens.get(key) ?? 0, 0)
            : Effect.void,
        ),
    }
  }),
  "answers the place of a change that was overtaken": withArbiter((arbiter) => ({
    write: (key, write, known) =>
      Effect.map(arbiter.write(key, write, known), (written) => ({
        ...written,
        version: "at" in write && write.at !== undefined ? write.at : written.version,
      })),
  })),
  "makes a change that was given up as soon as it can": withArbiter((arbiter) => ({
    write: (key, write, known) => {
      const isPlaced = "at" in write && write.at !== undefined
      const made = arbiter.write(key, write, known)
      if (isPlaced) return made
      const later = Effect.andThen(Effect.sleep("500 millis"), made)
      return Effect.andThen(Effect.yieldNow, made).pipe(
        Effect.onInterrupt(() => Effect.forkDetach(later)),
      )
    },
  })),
  "forgets marks": withArbiter((arbiter) => ({
    marks: (since) => Effect.map(arbiter.marks(since), (page) => ({ ...page, marks: [] })),
  })),
  "does not tell of newer marks when it commits": withArbiter((arbiter) => ({
    commit: (...args) => Effect.map(arbiter.commit(...args), (done) => ({ ...done, lastMark: 0 })),
  })),
  "does not tell of newer marks when it commits many": withBatches(({ commitAll }) => ({
    commitAll: (commits) =>
      Effect.map(commitAll(commits), (all) => all.map((one) => one && { ...one, lastMark: 0 })),
  })),
  "does not tell of newer marks when it writes": withArbiter((arbiter) => ({
    write: (...args) => Effect.map(arbiter.write(...args), (done) => ({ ...done, lastMark: 0 })),
  })),
  "says that a page of marks is all": withArbiter((arbiter) => ({
    marks: (since) => Effect.map(arbiter.marks(since), (page) => ({ ...page, next: undefined })),
  })),
  "parts marks of one number": withArbiter((arbiter) => ({
    marks: (since) =>
      Effect.map(arbiter.marks(since), (page) =>
        page.next === undefined ? page : { ...page, marks: page.marks.slice(0, -1) },
      ),
  })),
  "answers all marks, also those that are known": withArbiter((arbiter) => ({
    marks: () => arbiter.marks(0),
  })),
  "does not say that marks drop": withArbiter((arbiter) => ({
    mark: (tags, _, known) => arbiter.mark(tags, true, known),
  })),
  "marks tags as everything": withArbiter((arbiter) => ({
    mark: (_, keepStale, known) => arbiter.mark([undefined], keepStale, known),
  })),
  "gives marks numbers of the past": withArbiter((arbiter) => ({
    mark: (tags, keepStale) => arbiter.mark(tags, keepStale, 0),
  })),
  "raises the floor with every reading": withArbiter((arbiter) => ({
    marks: (since) =>
      Effect.map(arbiter.marks(since), (page) => ({ ...page, floor: page.time * 1000 })),
  })),
  "answers for many leases in another order": withBatches(({ acquireAll }) => ({
    acquireAll: (requests) => Effect.map(acquireAll(requests), (all) => all.toReversed()),
  })),
  "grants many leases to everybody": withBatches(({ acquireAll }) => ({
    acquireAll: (requests) => acquireAll(requests.map((one) => ({ ...one, force: true }))),
  })),
  "lets a failure hold back many with nothing stale": withBatches(({ acquireAll }) => ({
    acquireAll: (requests) =>
      acquireAll(requests.map((one) => ({ ...one, despiteFailure: false }))),
  })),
  "forces none of many leases": withBatches(({ acquireAll }) => ({
    acquireAll: (requests) => acquireAll(requests.map((one) => ({ ...one, force: false }))),
  })),
  "asks for many leases as if nothing were known": withBatches(({ acquireAll }) => ({
    acquireAll: (requests) => acquireAll(requests.map((one) => ({ ...one, known: 0 }))),
  })),
  "holds many leases ten times as long": withBatches(({ acquireAll }) => ({
    acquireAll: (requests) =>
      acquireAll(requests.map((one) => ({ ...one, leaseMillis: one.leaseMillis * 10 }))),
  })),
  "grants many leases without keeping them": withBatches(({ acquireAll }, arbiter) => ({
    acquireAll: (requests) =>
      Effect.tap(acquireAll(requests), (all) =>
        Effect.forEach(all, (one, i) =>
          one?._tag === "Won" ? arbiter.release(requests[i]!.key, one.token, 0) : Effect.void,
        ),
      ),
  })),
  "answers for a thousand of many leases": withBatches(({ acquireAll }) => ({
    acquireAll: (requests) => acquireAll(requests.slice(0, 1000)),
  })),
  "answers for many commits in another order": withBatches(({ commitAll }) => ({
    commitAll: (commits) => Effect.map(commitAll(commits), (all) => all.toReversed()),
  })),
  "commits none of many": withBatches(() => ({
    commitAll: (commits) => Effect.succeed(commits.map(() => stored)),
  })),
  "commits a thousand of many": withBatches(({ commitAll }) => ({
    commitAll: (commits) =>
      Effect.as(
        commitAll(commits.slice(0, 1000)),
        commits.map(() => stored),
      ),
  })),
  "commits many as if they were set": withBatches((_, arbiter) => ({
    commitAll: (commits) =>
      Effect.forEach(commits, ({ envelope, key, lifeMillis }) =>
        Effect.as(arbiter.write(key, { _tag: "Set", envelope, lifeMillis }, 0), stored),
      ),
  })),
  "commits many for as long as the first": withBatches(({ commitAll }) => ({
    commitAll: (commits) =>
      commitAll(commits.map((one) => ({ ...one, lifeMillis: commits[0]!.lifeMillis }))),
  })),
  "commits no value without a life among many": withBatches(({ commitAll }) => ({
    commitAll: (commits) =>
      Effect.as(
        commitAll(commits.filter(({ lifeMillis }) => lifeMillis > 0)),
        commits.map(() => stored),
      ),
  })),
  "stores what is no envelope among many": withBatches(({ commitAll }, arbiter) => ({
    commitAll: (commits) =>
      Effect.tap(commitAll(commits), () =>
        Effect.forEach(commits, ({ envelope, key }) =>
          Envelope.version(envelope) === undefined
            ? arbiter.write(key, { _tag: "Remove" }, 0)
            : Effect.void,
        ),
      ),
  })),
  "is silent": withArbiter(() => ({ listen: () => Effect.void })),
  "tells each change twice": withMessages((message) => [message, message]),
  "tells removals as changes": withMessages((message) => [
    message._tag === "Changed" ? { ...message, isRemoval: false } : message,
  ]),
  "tells changes as removals": withMessages((message) => [
    message._tag === "Changed" ? { ...message, isRemoval: true } : message,
  ]),
  "tells a version below that of the change": withMessages((message) => [
    message._tag === "Changed" ? { ...message, version: message.version - 1 } : message,
  ]),
  "tells of no returned lease": withMessages((message) =>
    message._tag === "Released" ? [] : [message],
  ),
  "tells of returned leases that nobody held": (() => {
    const all = new Set<(message: Tier.Message) => void>()
    return withArbiter((arbiter) => ({
      listen: (receive) => {
        all.add(receive)
        return arbiter.listen!((message) => message._tag !== "Released" && receive(message))
      },
      release: (key, token, failed) =>
        Effect.tap(arbiter.release(key, token, failed), () =>
          Effect.sync(() => all.forEach((receive) => receive({ _tag: "Released", key }))),
        ),
    }))
  })(),
  "tells no marks": withMessages((message) => (message._tag === "Marked" ? [] : [message])),
  "tells marks without the one before": withMessages((message) => [
    message._tag === "Marked" ? { ...message, previous: 0 } : message,
  ]),
  "tells marks that drop as marks that keep": withMessages((message) => [
    message._tag === "Marked"
      ? {
          ...message,
          page: {
            ...message.page,
            marks: message.page.marks.map((mark) => ({ ...mark, keepStale: true })),
          },
        }
      : message,
  ]),
  "pushes values that no operator asked for": withMessages((message) => [
    message._tag === "Changed" ? { ...message, envelope: Envelope.tombstone(1) } : message,
  ]),
  "pushes another value than is stored": withMessages(
    (message) => [
      message._tag === "Changed" && message.envelope !== undefined
        ? { ...message, envelope: Envelope.tombstone(message.version) }
        : message,
    ],
    { push: { maxBytes: 1_000 } },
  ),
  "pushes nothing, though it declares so": withMessages(
    (message) => [message._tag === "Changed" ? { ...message, envelope: undefined } : message],
    { push: { maxBytes: 1_000 } },
  ),
  "tells every larder of all changes": (() => {
    const all = new Set<(message: Tier.Message) => void>()
    return withArbiter((arbiter) => ({
      listen: (receive) => {
        all.add(receive)
        return arbiter.listen!((message) => {
          for (const each of all) each(message)
        })
      },
    }))
  })(),
  "confirms versions in another order": withVersions((stored) => stored.toReversed()),
  "confirms entries that are gone": withVersions((stored) =>
    stored.map((one) => ({ ...one, isValue: true })),
  ),
  "confirms no versions": withVersions((stored) =>
    stored.map(() => ({ version: 0, isValue: false })),
  ),
  "confirms a thousand keys": withVersions((stored) => stored.slice(0, 1_000)),
}

/** The checks that fail, or do not end within a time. */
const failedChecks = (
  layer: Layer.Layer<Tier.Tier>,
  patience: Duration.Input,
): Promise<ReadonlyArray<string>> => {
  const outcome = (check: TierConformance.Check) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const subject = yield* TierConformance.subject({ name: "a mutant", layer })
      if (TierConformance.applies(check, subject)) yield* check.run({ ...subject, rounds: 20 })
    }).pipe(Effect.scoped, Effect.provide(TestClock.layer()), Effect.timeout(patience), Effect.exit)
  const failed = Effect.filter(
    TierConformance.checks,
    (check) => Effect.map(outcome(check), Exit.isFailure),
    { concurrency: "unbounded" },
  )
  return Effect.runPromise(Effect.map(failed, (checks) => checks.map(({ name }) => name)))
}

const unchanged: Readonly<Record<string, Layer.Layer<Tier.Tier>>> = {
  "`layerShared`": MemoryTier.layerShared,
  "the same store": withStore(plain),
  "the same arbiter": withArbiter(() => ({})),
  "the same batches": withBatches(() => ({})),
  "the same messages": withMessages((message) => [message]),
  "the same pushed values": withMessages((message) => [message], { push: { maxBytes: 1_000 } }),
  "the same versions": withVersions((stored) => stored),
}

for (const [name, layer] of Object.entries(unchanged)) {
  it(`passes a tier with ${name}`, async () => {
    expect(await failedChecks(layer, "10 seconds")).toEqual([])
  })
}

for (const [name, layer] of Object.entries(mutants)) {
  it(`finds a tier that ${name}`, async () => {
    expect(await failedChecks(layer, "1 second")).not.toEqual([])
  })
}
