/** Counts what one shop's customers saw and its requests to the catalogue, phase by phase. */
import type { View } from "./contenders.ts"
import { type Phase, phases, priceListOf } from "./phases.ts"

export interface Figures {
  readonly requests: number
  /**
   * The times from when a request was due to its answer, in milliseconds, ascending; without failures.
   */
  readonly latencies: ReadonlyArray<number>
  /** How the cache served the products on product pages. */
  readonly fresh: number
  readonly stale: number
  readonly missing: number
  /** Requests to the catalogue, including retries. */
  readonly lookups: number
  /** Requests that failed for the customer. */
  readonly failed: number
  /** Failed requests that the shop refused, since too many were in flight. */
  readonly turnedAway: number
  /** Failed requests for a product this shop had shown before, and the products. */
  readonly failedSeen: number
  readonly pagesLost: ReadonlyArray<number>
  /**
   * Products shown with a price of the old list, and how long after the change the last was
   * requested.
   */
  readonly oldPrices: number
  readonly lastOldPriceMillis: number
}

export type Book = Readonly<Record<Phase, Figures>>

type Mutable<A> = {
  -readonly [K in keyof A]: A[K] extends ReadonlyArray<infer B> ? Array<B> : A[K]
}

const blank = (): Mutable<Figures> => ({
  requests: 0,
  latencies: [],
  fresh: 0,
  stale: 0,
  missing: 0,
  lookups: 0,
  failed: 0,
  turnedAway: 0,
  failedSeen: 0,
  pagesLost: [],
  oldPrices: 0,
  lastOldPriceMillis: 0,
})

/** A request in flight: it counts for the phase it was made in, whenever it is answered. */
export interface Ticket {
  readonly phase: Phase
  /** When it was due, in milliseconds since the phase began. */
  readonly due: number
  /** The products of the request that the shop had shown before. */
  readonly seen: ReadonlySet<number>
}

/** Mutable on purpose: written a few thousand times a second, and read at the end. */
export class Ledger {
  private readonly pages: Record<Phase, Mutable<Figures>>
  private readonly shown = new Set<number>()
  private phase: Phase = phases[0]

  constructor() {
    const all = phases.map((phase) => [phase, blank()] as const)
    this.pages = Object.fromEntries(all) as Record<Phase, Mutable<Figures>>
  }

  enter(phase: Phase): void {
    this.phase = phase
  }

  lookup(): void {
    this.pages[this.phase].lookups++
  }

  arrive(ids: ReadonlyArray<number>, due: number): Ticket {
    this.pages[this.phase].requests++
    return { phase: this.phase, due, seen: new Set(ids.filter((id) => this.shown.has(id))) }
  }

  turnAway(ticket: Ticket): void {
    this.pages[ticket.phase].turnedAway++
    this.abandon(ticket)
  }

  /** The customer got no answer at all. */
  abandon(ticket: Ticket): void {
    this.fail(ticket, Array.from(ticket.seen))
  }

  answer(ticket: Ticket, views: ReadonlyArray<View>, millis: number): void {
    const page = this.pages[ticket.phase]
    for (const view of views) {
      if (view._tag !== "Shown") continue
      this.shown.add(view.product.id)
      if (view.source !== undefined) page[view.source]++
      if (view.product.priceList < priceListOf(ticket.phase)) {
        page.oldPrices++
        page.lastOldPriceMillis = Math.max(page.lastOldPriceMillis, ticket.due)
      }
    }
    const missed = views.flatMap((view) => (view._tag === "Failed" ? [view.id] : []))
    if (missed.length === 0) page.latencies.push(millis)
    else
      this.fail(
        ticket,
        missed.filter((id) => ticket.seen.has(id)),
      )
  }

  private fail(ticket: Ticket, pagesLost: ReadonlyArray<number>): void {
    const page = this.pages[ticket.phase]
    page.failed++
    if (pagesLost.length > 0) page.failedSeen++
    page.pagesLost.push(...pagesLost)
  }

  /** The current figures of a phase, unsorted: for the progress line. */
  peek(phase: Phase): Pick<Figures, "requests" | "failed"> {
    return this.pages[phase]
  }

  close(): Book {
    for (const phase of phases) this.pages[phase].latencies.sort((a, b) => a - b)
    return this.pages
  }
}
