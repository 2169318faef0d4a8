/**
 * Compares two ways in one process: many short samples in turn, so that other load on the machine
 * affects both, and the median of the ratios of neighbours.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { now } from "../clock.ts"
import * as Source from "../source.ts"
import { quantile } from "../statistics.ts"
import { byPromise, inFiber, once, stampede } from "./runs.ts"
import { asHundreds, inTurn, sampleSize, stale, warm, warmCache } from "./situations.ts"
import { type OpenLarder, openCache, openLarder, surroundings } from "./subjects.ts"

type Sample = () => Promise<number>

/** Milliseconds, for both ways together. */
const warmUp = 700
const measured = 1_400
const fewestPairs = 9
/** The limit keeps all cold keys within the capacity of memory. */
const mostPairs = 120

/** How many new keys are in a sample of misses. */
const missesInSample = 200

/** Collects ratios of pairs for this long. */
const ratiosFor = async (
  millis: number,
  ours: Sample,
  theirs: Sample,
): Promise<ReadonlyArray<number>> => {
  const ratios: Array<number> = []
  const end = now() + millis
  while (ratios.length < fewestPairs || (now() < end && ratios.length < mostPairs)) {
    // Alternate the order: the second sample of a pair pays for collecting the first one's garbage.
    const first = ratios.length % 2 === 0 ? await ours() : undefined
    const other = await theirs()
    ratios.push((first ?? (await ours())) / other)
  }
  return ratios
}

/** The median of `ours / theirs`, measured in turn. */
const sideBySide = async (ours: Sample, theirs: Sample): Promise<number> => {
  await ratiosFor(warmUp, ours, theirs)
  const ratios = await ratiosFor(measured, ours, theirs)
  return quantile(
    ratios.toSorted((a, b) => a - b),
    0.5,
  )
}

const hitsBy = (ask: typeof inFiber) => async (): Promise<number> => {
  const { keys, larder, source } = await warm()
  const cache = await warmCache(source)
  const theirs = inTurn(source.keys, sampleSize)
  return sideBySide(
    () => ask(larder.get, keys()),
    () => ask(cache, theirs()),
  )
}

export const hit = hitsBy(inFiber)

export const hitByPromise = hitsBy(byPromise)

export const hitHeard = async (): Promise<number> => {
  const heard = await warm()
  const unheard = await warm()
  Effect.runFork(Stream.runDrain(heard.larder.events))
  return sideBySide(
    () => inFiber(heard.larder.get, heard.keys()),
    () => inFiber(unheard.larder.get, unheard.keys()),
  )
}

export const many = async (): Promise<number> => {
  const { keys, larder, source } = await warm()
  const singly = inTurn(source.keys, sampleSize)
  return sideBySide(
    () => once(asHundreds(larder, keys())),
    () => inFiber(larder.get, singly()),
  )
}

export const staleHit = async (): Promise<number> => {
  const size = 200
  const { larder, staleAgain } = await stale(surroundings(), size)
  const fresh = await warm()
  const keys = inTurn(fresh.source.keys, size)
  return sideBySide(
    async () => inFiber(larder.get, await staleAgain()),
    () => inFiber(fresh.larder.get, keys()),
  )
}

export const miss = async (): Promise<number> => {
  const source = Source.make(0, "turn")
  const larder = await openLarder(source)
  const cache = await openCache(source)
  return sideBySide(
    () => inFiber(larder.get, source.unasked(missesInSample)),
    () => inFiber(cache, source.unasked(missesInSample)),
  )
}

export const missWhenFull = async (): Promise<number> => {
  const source = Source.make(0, "none")
  const full = await openLarder(source, { maxEntries: 1_000 })
  const roomy = await openLarder(source)
  return sideBySide(
    () => inFiber(full.get, source.unasked(missesInSample)),
    () => inFiber(roomy.get, source.unasked(missesInSample)),
  )
}

export const stampeded = async (): Promise<number> => {
  const source = Source.make(0, "turn")
  const larder = await openLarder(source)
  const cache = await openCache(source)
  return sideBySide(
    () => stampede(larder.get, source.unasked(1)[0]!, 1_000),
    () => stampede(cache, source.unasked(1)[0]!, 1_000),
  )
}

/**
 * The ratio of a larder of 10,000 entries to one of 100: the operation may not walk over the
 * entries.
 */
const ofAll =
  (what: (larder: OpenLarder) => Effect.Effect<unknown>) => async (): Promise<number> => {
    const times = Array.from({ length: 50 })
    const filled = async (entries: number) => {
      const source = Source.make(entries, "none")
      const larder = await openLarder(source, { tag: "all" })
      await inFiber(larder.get, source.keys)
      return Effect.forEach(times, () => what(larder), { discard: true })
    }
    const [large, small] = [await filled(10_000), await filled(100)]
    return sideBySide(
      () => once(large),
      () => once(small),
    )
  }

export const tagDrop = ofAll((larder) => larder.invalidateTags(["all"]))

export const clear = ofAll((larder) => larder.clear())
