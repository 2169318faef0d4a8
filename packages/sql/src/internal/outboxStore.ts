/** The steps of an outbox, each one transaction that loads rows, decides and stores them. */
import { OutboxRow, OutboxStore } from "@larder/core"
import * as Clock from "effect/Clock"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import { countedRows } from "./limits.ts"
import type { Keyed, OutboxTable } from "./outboxTable.ts"

/** The listeners of this process, by outbox. */
export type Listeners = Map<string, Set<(waiting: number) => void>>

export interface Options extends OutboxStore.OpenOptions {
  readonly name: string
  readonly table: OutboxTable
  readonly listeners: Listeners
}

type Claims = ReadonlyArray<OutboxStore.Claimed>

export const storeOf = ({
  listeners,
  maxPending,
  merges,
  name,
  outbox,
  table,
}: Options): OutboxStore.Store => {
  const failing =
    (operation: string) =>
    <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, OutboxStore.OutboxStoreError> =>
      Effect.mapError(
        effect,
        (cause) => new OutboxStore.OutboxStoreError({ store: name, operation, cause }),
      )

  const wake = Effect.suspend(() => {
    const all = listeners.get(outbox)
    if (all === undefined || all.size === 0) return Effect.void
    return Effect.map(table.waiting(outbox, countedRows), (waiting) => {
      for (const listener of all) listener(waiting)
    })
  })

  /** Stores changed rows, and how many keys there are now. */
  const save = (before: ReadonlyMap<string, OutboxRow.Row>, after: ReadonlyArray<Keyed>) => {
    const grown = after.map(
      ({ key, row }) => Number(!OutboxRow.isEmpty(row)) - Number(before.has(key)),
    )
    return Effect.andThen(
      table.save(outbox, after),
      table.grow(
        outbox,
        grown.reduce((sum, one) => sum + one, 0),
      ),
    )
  }

  const offer = (offers: ReadonlyArray<OutboxRow.Offer>) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const keys = offers.map(({ key }) => key)
      const before = yield* table.rows(outbox, keys, "change")
      let size = yield* table.size(outbox)
      const after: Array<Keyed> = []
      const answers = offers.map((offer): OutboxRow.Offered => {
        const { key } = offer
        if (!before.has(key) && size >= maxPending) return { _tag: "Full" }
        const row = before.get(key) ?? OutboxRow.empty
        const [answer, changed] = OutboxRow.offered(row, offer, { now, merges })
        if (answer._tag !== "Accepted") return answer
        if (!before.has(key)) size += 1
        after.push({ key, row: changed })
        return answer
      })
      yield* save(before, after)
      return answers
    })

  const claim = (request: OutboxStore.ClaimRequest) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const found = yield* table.ready(outbox, now, request.max)
      const ready = found.map(({ row }) => row)
      const options = { ready, request, now }
      if (OutboxStore.claimIn({ ...options, nextAt: undefined }) !== 0) {
        const nextAt = yield* table.nextAt(outbox, now)
        return { writes: [], nextMillis: OutboxStore.claimIn({ ...options, nextAt }) }
      }
      const claim = SecureRandom.uuidV4Unsafe()
      const { lockMillis } = request
      const after = found.flatMap(({ key, row }) => {
        const claimed = OutboxRow.claimed(row, { now, merges, claim, lockMillis })
        return claimed === undefined ? [] : [{ key, row: claimed }]
      })
      yield* table.save(outbox, after)
      const writes = after.map(({ key, row: { inFlight } }): OutboxStore.Claimed => {
        const { attempts, payload, since, version } = inFlight
        return { key, version, payload, attempts, since, claim }
      })
      return { writes, nextMillis: undefined }
    })

  /** Changes the rows whose claims are still held; returns how many they are. */
  const held = (claims: Claims, change: (row: OutboxRow.Row, now: number) => OutboxRow.Row) =>
    claims.length === 0
      ? Effect.succeed(0)
      : table.changing(
          outbox,
          Effect.gen(function* () {
            const now = yield* Clock.currentTimeMillis
            const keys = claims.map(({ key }) => key)
            const before = yield* table.rows(outbox, keys, "change")
            const after = claims.flatMap((claim): ReadonlyArray<Keyed> => {
              const row = before.get(claim.key)
              if (row === undefined || !OutboxRow.isHeld(row, claim)) return []
              return [{ key: claim.key, row: change(row, now) }]
            })
            yield* save(before, after)
            return after.length
          }),
        )

  /** Changes one row where the change applies; returns the row after it. */
  const changeOne = (
    key: string,
    change: (row: OutboxRow.Row, now: number) => OutboxRow.Row | undefined,
  ) =>
    table.changing(
      outbox,
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const before = yield* table.rows(outbox, [key], "change")
        const row = before.get(key)
        const changed = row && change(row, now)
        if (changed !== undefined) yield* save(before, [{ key, row: changed }])
        return changed
      }),
    )

  return {
    offer: (offers) =>
      Effect.gen(function* () {
        const answers = yield* table.changing(outbox, offer(offers))
        if (answers.some(({ _tag }) => _tag === "Accepted")) yield* wake
        return answers
      }).pipe(failing("offer")),
    rows: (keys) => failing("rows")(table.rows(outbox, keys, "read")),
    claim: (request) => failing("claim")(table.claiming(outbox, claim(request))),
    renew: (claims, lockMillis) =>
      failing("renew")(held(claims, (row, now) => OutboxRow.renewed(row, now + lockMillis))),
    done: (claims) => failing("done")(Effect.asVoid(held(claims, OutboxRow.done))),
    retry: (claims, delayMillis) =>
      failing("retry")(
        Effect.asVoid(held(claims, (row, now) => OutboxRow.retried(row, now + delayMillis))),
      ),
    bury: (claim, burial) =>
      changeOne(claim.key, (row) =>
        OutboxRow.isHeld(row, claim) ? OutboxRow.buried(row, burial, { merges }) : undefined,
      ).pipe(
        Effect.map((row) => row?.dead !== undefined),
        failing("bury"),
      ),
    revive: (key) =>
      changeOne(key, (row, now) => OutboxRow.revived(row, now)).pipe(
        Effect.tap((row) => (row === undefined ? Effect.void : wake)),
        Effect.map((row) => row !== undefined),
        failing("revive"),
      ),
    discard: (key) =>
      changeOne(key, (row) =>
        row.dead === undefined ? undefined : { ...row, dead: undefined },
      ).pipe(
        Effect.map((row) => row !== undefined),
        failing("discard"),
      ),
    dead: (after, max) =>
      table.dead(outbox, after, max).pipe(
        Effect.map((all) => all.map(({ key, row }) => ({ key, ...row.dead! }))),
        failing("dead"),
      ),
    depth: Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const { oldest = now, ...counts } = yield* table.depth(outbox)
      return { ...counts, oldestMillis: Math.max(0, now - oldest) }
    }).pipe(failing("depth")),
    listen: (wake) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => {
            const all = listeners.get(outbox) ?? new Set()
            listeners.set(outbox, all.add(wake))
          }),
          () => Effect.sync(() => listeners.get(outbox)?.delete(wake)),
        ),
      ),
  }
}
