/**
 * Compares two ways in one process: many short samples in turn, so that other load on the machine
 * affects both, and the median of the ratios of neighbours.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { now } from "../clock.ts"
import { openCache } from "../contenders/effect.ts"
import * as Source from "../source.ts"
import { summary } from "../statistics.ts"
import { checkIn } from "./judge.ts"
import { byPromise, type Get, inFiber, type Keys, once, together } from "./runs.ts"
import { asHundreds, inTurn, sampleSize, stale, warm } from "./situations.ts"
import { type OpenLarder, openLarder, surroundings } from "./subjects.ts"

type Sample = () => Promise<number>

/** Milliseconds, for both ways together. */
const warmUp = 700
const measured = 1_400
const fewestPairs = 9
/** The limit keeps all cold keys within the capacity of memory. */
const mostPairs = 120

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
  return summary(await ratiosFor(measured, ours, theirs)).median
}

const asked =
  (get: Get, keys: () => Keys | Promise<Keys>, ask = inFiber): Sample =>
  async () =>
    ask(get, await keys())

const hitsBy = (ask: typeof inFiber) => async (): Promise<number> => {
  const { keys, larder, source } = await warm()
  const cache = await Effect.runPromise(openCache(source))
  await inFiber(cache, source.keys)
  return sideBySide(
    asked(larder.get, keys, ask),
    asked(cache, inTurn(source.keys, sampleSize), ask),
  )
}

/** The ratio of a larder to Effect's own cache for misses whose lookups take a turn. */
const coldBy = (keysOf: (source: Source.Source) => Keys, ask: typeof inFiber) => async () => {
  const source = Source.make(0, "turn")
  const larder = await openLarder(source)
  const cache = await Effect.runPromise(openCache(source))
  const keys = () => keysOf(source)
  return sideBySide(asked(larder.get, keys, ask), asked(cache, keys, ask))
}

/**
 * The ratio of a larder of 10,000 entries to one of 100: the operation may not walk over the
 * entries.
 */
const ofAll = (what: (larder: OpenLarder) => Effect.Effect<unknown>) => async () => {
  const times = Array.from({ length: 50 })
  const filled = async (entries: number): Promise<Sample> => {
    const source = Source.make(entries, "none")
    const larder = await openLarder(source, { tag: "all" })
    await inFiber(larder.get, source.keys)
    return () => once(Effect.forEach(times, () => what(larder), { discard: true }))
  }
  return sideBySide(await filled(10_000), await filled(100))
}

const times = checkIn("times")

/** The limits are about 1.6 of the measured value, so that a doubling is caught. */
export const ratios = {
  hit: times("a fresh hit inside a fiber, to Effect's Cache.get", 0.85, hitsBy(inFiber)),
  hitByPromise: times(
    "a fresh hit by Effect.runPromise, to Effect's Cache.get by it",
    1,
    hitsBy(byPromise),
  ),
  hitHeard: times("a fresh hit with a listener attached, to one without", 2.5, async () => {
    const [heard, unheard] = [await warm(), await warm()]
    Effect.runFork(Stream.runDrain(heard.larder.events))
    return sideBySide(asked(heard.larder.get, heard.keys), asked(unheard.larder.get, unheard.keys))
  }),
  many: times("a key of getMany of 100 fresh hits, to a single hit", 0.9, async () => {
    const { keys, larder, source } = await warm()
    return sideBySide(
      () => once(asHundreds(larder, keys())),
      asked(larder.get, inTurn(source.keys, sampleSize)),
    )
  }),
  staleHit: times(
    "a stale hit that begins a refresh, what the caller waits for, to a fresh hit",
    6,
    async () => {
      const size = 200
      const { larder, staleAgain } = await stale(surroundings(), size)
      const fresh = await warm()
      return sideBySide(
        asked(larder.get, staleAgain),
        asked(fresh.larder.get, inTurn(fresh.source.keys, size)),
      )
    },
  ),
  miss: times(
    "an asynchronous miss, to that of Effect's Cache.get",
    3.6,
    coldBy(({ unasked }) => unasked(200), inFiber),
  ),
  missWhenFull: times("a miss that makes another entry leave, to one with room", 1.7, async () => {
    const source = Source.make(0, "none")
    const [full, roomy] = [
      await openLarder(source, { maxEntries: 1_000 }),
      await openLarder(source),
    ]
    const keys = () => source.unasked(200)
    return sideBySide(asked(full.get, keys), asked(roomy.get, keys))
  }),
  // One and the same code has 1.12x on one machine and 1.32x to 1.42x on another.
  stampede: times(
    "1,000 callers of one cold key, to Effect's Cache.get",
    1.7,
    coldBy(({ unasked }) => new Array<string>(1_000).fill(unasked(1)[0]!), together),
  ),
  tagDrop: times(
    "a tag of 10,000 entries dropped, to one of 100",
    2,
    ofAll((larder) => larder.invalidateTags(["all"])),
  ),
  clear: times(
    "a larder of 10,000 entries cleared, to one of 100",
    2,
    ofAll((larder) => larder.clear()),
  ),
}
