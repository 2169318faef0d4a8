/**
 * Generated requests for the product pages of a shop.
 *
 * - Popularity: Zipf's law over the catalogue.
 * - Drift: every few requests a popular product trades places with any other.
 * - Re-reads: customers return to recently requested pages.
 * - Bursts: for a while, many requests are for one product in the news.
 * - A scan: now and then a crawler walks on through the catalogue, page by page.
 *
 * The same seed gives the same requests.
 */
import { generator, shuffled, zipf } from "./random.ts"
import { recorder, type Trace } from "./Trace.ts"

/**
 * The shape of the traffic. Each share is one of the customers' requests; the scan's share is one
 * of all requests.
 */
export const shape = {
  products: 12_000,
  popularity: { exponent: 0.95 },
  drift: { everyRequests: 100 },
  rereads: { share: 0.25, withinRequests: 2_000 },
  bursts: { everyRequests: 4_000, requests: 800, share: 0.2 },
  scan: { everyRequests: 10_000, requests: 2_000, share: 0.5 },
} as const

export interface Options {
  readonly seed: number
  readonly requests: number
}

/** Whether a request is among the last `requests` of its period of `everyRequests`. */
const isWithin = (
  request: number,
  { everyRequests, requests }: { readonly everyRequests: number; readonly requests: number },
): boolean => request % everyRequests >= everyRequests - requests

export const shopTraffic = ({ requests, seed }: Options): Trace => {
  const { bursts, drift, popularity, products, rereads, scan } = shape
  const random = generator(seed)
  const byRank = shuffled(Array(products).keys(), random)
  const rank = zipf(products, popularity.exponent, random)
  const back = zipf(rereads.withinRequests, 1, random)
  const any = (): number => Math.floor(random() * products)
  const { add, trace } = recorder<number>()
  const requested: Array<number> = []
  let crawled = 0
  let inTheNews = any()

  const trade = (): void => {
    const [popular, other] = [rank(), any()]
    ;[byRank[popular], byRank[other]] = [byRank[other]!, byRank[popular]!]
  }

  /** The crawler's page, or undefined while it is away. */
  const byCrawler = (request: number): number | undefined =>
    isWithin(request, scan) && random() < scan.share ? crawled++ % products : undefined

  const byCustomer = (request: number): number => {
    const chance = random()
    if (chance < rereads.share) {
      const earlier = requested[request - 1 - back()]
      if (earlier !== undefined) return earlier
    } else if (isWithin(request, bursts) && chance < rereads.share + bursts.share) {
      return inTheNews
    }
    return byRank[rank()]!
  }

  for (let request = 0; request < requests; request++) {
    if (request % drift.everyRequests === 0) trade()
    if (request % bursts.everyRequests === 0) inTheNews = any()
    const product = byCrawler(request) ?? byCustomer(request)
    requested.push(product)
    add(product)
  }
  return trace()
}
