/**
 * Replays the trace to all shops side by side: the same requests at the same moments, in an open
 * loop. A request starts when it is due, whether or not earlier ones were answered, and its latency
 * counts from then.
 */
import type { Trace } from "@larder/traces"
import { Clock, Effect, FiberSet, type Scope } from "effect"
import type { Shop, View } from "./contenders.ts"
import type { Ledger, Ticket } from "./ledger.ts"
import { type Phase, phases } from "./phases.ts"
import { type Request, requestAt } from "./trace.ts"

export interface Lane {
  readonly name: string
  /** The current shop: another one after a restart. */
  readonly shop: Shop
  readonly ledger: Ledger
  /** Restarts the shop; the old one still serves its customers. */
  readonly restart: Effect.Effect<void>
}

export interface Options<E, R> {
  readonly trace: Trace
  /** The index in the trace to begin at. */
  readonly from: number
  /** Requests per second to each shop. */
  readonly rate: number
  /** The length of a phase, ms. */
  readonly phaseMillis: (phase: Phase) => number
  /** The most requests in flight in one shop; it refuses further ones, which count as failed. */
  readonly inFlight: number
  readonly lanes: ReadonlyArray<Lane>
  /** Makes the catalogue enter a phase. */
  readonly enter: (phase: Phase) => Effect.Effect<void, E, R>
}

/** How long the news of a price change takes from the catalogue to the shops, in ms. */
export const newsMillis = 250

/**
 * How long to wait for the answer to the last request, in ms; a customer still waiting then saw an
 * error.
 */
export const lastCallMillis = 5_000

const idsOf = (request: Request) => (request._tag === "Page" ? [request.id] : request.ids)

const viewsOf = (shop: Shop, request: Request): Effect.Effect<ReadonlyArray<View>> =>
  (request._tag === "Page"
    ? Effect.map(shop.page(request.id), (view) => [view])
    : shop.listing(request.ids)
  ).pipe(
    // A defect counts as an error for the customer.
    Effect.catchCause(() =>
      Effect.succeed(idsOf(request).map((id): View => ({ _tag: "Failed", id, reason: "defect" }))),
    ),
  )

const counter = Effect.map(Clock.Clock, (clock) => {
  const start = clock.currentTimeNanosUnsafe()
  return (): number => Number(clock.currentTimeNanosUnsafe() - start) / 1e6
})

export const replay = Effect.fnUntraced(function* <E, R>(
  options: Options<E, R>,
): Effect.fn.Return<void, E, R | Scope.Scope> {
  const { from, inFlight, lanes, phaseMillis, rate, trace } = options
  const customers = yield* FiberSet.make<void>()
  const run = yield* FiberSet.runtime(customers)()
  const open = new Map(lanes.map((lane) => [lane, new Set<Ticket>()]))

  const serve = (lane: Lane, request: Request, due: number, elapsed: () => number) => {
    const ticket = lane.ledger.arrive(idsOf(request), due)
    const busy = open.get(lane)!
    if (busy.size >= inFlight) return lane.ledger.turnAway(ticket)
    busy.add(ticket)
    run(
      Effect.map(viewsOf(lane.shop, request), (views) => {
        busy.delete(ticket)
        lane.ledger.answer(ticket, views, elapsed() - due)
      }),
    )
  }

  let place = from
  for (const phase of phases) {
    const millis = phaseMillis(phase)
    const requests = Math.round((rate * millis) / 1_000)
    yield* options.enter(phase)
    for (const lane of lanes) lane.ledger.enter(phase)
    if (phase === "restart") {
      yield* Effect.forEach(lanes, ({ restart }) => restart, { discard: true })
    }
    const elapsed = yield* counter
    if (phase === "price change") {
      const news = Effect.forEach(lanes, ({ shop }) => shop.newPriceList, { discard: true })
      run(Effect.delay(news, newsMillis))
    }
    for (let sent = 0; sent < requests; sent++) {
      const due = (sent * 1_000) / rate
      const wait = due - elapsed()
      if (wait > 0) yield* Effect.sleep(Math.ceil(wait))
      const request = requestAt(trace, place + sent)
      for (const lane of lanes) serve(lane, request, due, elapsed)
    }
    place += requests
    yield* Effect.sleep(Math.max(0, millis - elapsed()))
  }
  yield* Effect.timeoutOption(FiberSet.awaitEmpty(customers), lastCallMillis)
  for (const [lane, busy] of open) busy.forEach((ticket) => lane.ledger.abandon(ticket))
})
