/** The rows of an outbox in memory, in the order in which they may be claimed. */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as OutboxRow from "../../OutboxRow.ts"
import type {
  ClaimRequest,
  Claimed,
  Claims,
  Dead,
  Depth,
  OpenOptions,
  Store,
} from "../../OutboxStore.ts"

export const claimIn = ({
  nextAt,
  now,
  ready,
  request: { minAgeMillis, minCount },
}: {
  readonly ready: ReadonlyArray<OutboxRow.Row>
  readonly request: ClaimRequest
  readonly now: number
  readonly nextAt: number | undefined
}): number | undefined => {
  // A write that has rested is due whatever its age, and a lapsed lock hides how old its write is.
  if (ready.some(({ inFlight }) => inFlight !== undefined)) return 0
  if (ready.length > 0 && ready.length >= minCount) return 0
  const oldest = Math.min(...ready.map(({ waiting }) => waiting?.since ?? Infinity))
  const at = Math.min(oldest + minAgeMillis, nextAt ?? Infinity)
  return at === Infinity ? undefined : Math.max(0, at - now)
}

export class MemoryOutbox {
  readonly #clock: Clock.Clock
  readonly #rows = new Map<string, OutboxRow.Row>()
  readonly #wakes = new Set<(waiting: number) => void>()
  #waiting = 0
  #claims = 0

  constructor(clock: Clock.Clock) {
    this.#clock = clock
  }

  open({ maxPending, merges }: Omit<OpenOptions, "outbox">): Store {
    return {
      offer: (offers) => Effect.sync(() => this.#offer(offers, maxPending, merges)),
      rows: (keys) => Effect.sync(() => this.#rowsOf(keys)),
      claim: (request) => Effect.sync(() => this.#claim(request, merges)),
      renew: (claims, lockMillis) =>
        Effect.sync(() => {
          const until = this.#now() + lockMillis
          return this.#held(claims, (row) => OutboxRow.renewed(row, until))
        }),
      done: (claims) => Effect.sync(() => void this.#held(claims, OutboxRow.done)),
      retry: (claims, delayMillis) =>
        Effect.sync(() => {
          const at = this.#now() + delayMillis
          this.#held(claims, (row) => OutboxRow.retried(row, at))
        }),
      bury: (claim, burial) =>
        Effect.sync(() => {
          let isDead = false
          this.#held([claim], (row) => {
            const buried = OutboxRow.buried(row, burial, { merges })
            isDead = buried?.dead !== undefined
            return buried ?? row
          })
          return isDead
        }),
      revive: (key) =>
        Effect.sync(() => {
          const revived = OutboxRow.revived(this.#row(key), this.#now())
          if (revived === undefined) return false
          this.#set(key, revived)
          this.#wake()
          return true
        }),
      discard: (key) =>
        Effect.sync(() => {
          const row = this.#row(key)
          if (row.dead === undefined) return false
          this.#set(key, { ...row, dead: undefined })
          return true
        }),
      dead: (after, max) => Effect.sync(() => this.#dead(after, max)),
      depth: Effect.sync(() => this.#depth()),
      listen: (wake) =>
        Effect.asVoid(
          Effect.acquireRelease(
            // A function of its own, so that the same one may listen twice.
            Effect.sync(() => {
              const own = (waiting: number) => wake(waiting)
              this.#wakes.add(own)
              return own
            }),
            (own) => Effect.sync(() => this.#wakes.delete(own)),
          ),
        ),
    }
  }

  #now(): number {
    return this.#clock.currentTimeMillisUnsafe()
  }

  #row(key: string): OutboxRow.Row {
    return this.#rows.get(key) ?? OutboxRow.empty
  }

  #set(key: string, row: OutboxRow.Row): void {
    const before = this.#row(key)
    this.#waiting += Number(row.waiting !== undefined) - Number(before.waiting !== undefined)
    if (OutboxRow.isEmpty(row)) this.#rows.delete(key)
    else this.#rows.set(key, row)
  }

  #wake(): void {
    for (const wake of this.#wakes) wake(this.#waiting)
  }

  #offer(
    offers: ReadonlyArray<OutboxRow.Offer>,
    maxPending: number,
    merges: boolean,
  ): ReadonlyArray<OutboxRow.Offered> {
    const now = this.#now()
    const answers = offers.map((offer): OutboxRow.Offered => {
      const { key } = offer
      if (!this.#rows.has(key) && this.#rows.size >= maxPending) return { _tag: "Full" }
      const [answer, row] = OutboxRow.offered(this.#row(key), offer, { now, merges })
      if (answer._tag === "Accepted") this.#set(key, row)
      return answer
    })
    if (answers.some(({ _tag }) => _tag === "Accepted")) this.#wake()
    return answers
  }

  #rowsOf(keys: ReadonlyArray<string>): ReadonlyMap<string, OutboxRow.Row> {
    const found = new Map<string, OutboxRow.Row>()
    for (const key of keys) {
      const row = this.#rows.get(key)
      if (row !== undefined) found.set(key, row)
    }
    return found
  }

  #claim(request: ClaimRequest, merges: boolean): Claims {
    const now = this.#now()
    let nextAt: number | undefined
    const ready: Array<{ key: string; row: OutboxRow.Row; at: number }> = []
    for (const [key, row] of this.#rows) {
      const at = OutboxRow.readyAt(row)
      if (at === undefined) continue
      if (at <= now) ready.push({ key, row, at })
      else nextAt = Math.min(nextAt ?? Infinity, at)
    }
    const first = ready.toSorted((one, other) => one.at - other.at).slice(0, request.max)
    const nextMillis = claimIn({ ready: first.map(({ row }) => row), request, now, nextAt })
    if (nextMillis !== 0) return { writes: [], nextMillis }
    this.#claims += 1
    const claim = String(this.#claims)
    const writes = first.flatMap(({ key, row }): ReadonlyArray<Claimed> => {
      const { lockMillis } = request
      const claimed = OutboxRow.claimed(row, { now, merges, claim, lockMillis })
      if (claimed === undefined) return []
      this.#set(key, claimed)
      const { attempts, payload, since, version } = claimed.inFlight
      return [{ key, version, payload, attempts, since, claim }]
    })
    return { writes, nextMillis: undefined }
  }

  /** Changes the rows whose claims are still held; returns how many. */
  #held(claims: ReadonlyArray<Claimed>, change: (row: OutboxRow.Row) => OutboxRow.Row): number {
    const held = claims.filter((claim) => OutboxRow.isHeld(this.#row(claim.key), claim))
    for (const { key } of held) this.#set(key, change(this.#row(key)))
    return held.length
  }

  #dead(after: string | undefined, max: number): ReadonlyArray<Dead> {
    return [...this.#rows]
      .flatMap(([key, { dead }]) => (dead === undefined ? [] : [{ key, ...dead }]))
      .filter(({ key }) => after === undefined || key > after)
      .toSorted((one, other) => (one.key < other.key ? -1 : 1))
      .slice(0, max)
  }

  #depth(): Depth {
    const now = this.#now()
    let inFlight = 0
    let dead = 0
    let oldest = now
    for (const row of this.#rows.values()) {
      if (row.inFlight !== undefined) inFlight += 1
      if (row.dead !== undefined) dead += 1
      oldest = Math.min(oldest, row.waiting?.since ?? now, row.inFlight?.since ?? now)
    }
    return { waiting: this.#waiting, inFlight, dead, oldestMillis: now - oldest }
  }
}
