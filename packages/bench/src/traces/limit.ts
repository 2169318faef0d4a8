/**
 * Belady's limit: the hits of a cache that knows the future. No policy of the same
 * size has more, one that may leave a key out of the cache included.
 */

/** For each request, the next one for the same key; as many as there are requests where none follows. */
export const nextRequests = (requests: Uint32Array): Uint32Array => {
  const never = requests.length
  const seen = new Map<number, number>()
  const next = new Uint32Array(requests.length)
  for (let at = requests.length - 1; at >= 0; at--) {
    const key = requests[at]!
    next[at] = seen.get(key) ?? never
    seen.set(key, at)
  }
  return next
}

/** The keys of a cache, the one whose next request is the furthest away on top. */
interface Furthest {
  readonly has: (key: number) => boolean
  readonly size: () => number
  readonly topNext: () => number
  readonly add: (key: number, next: number) => void
  /** Of a key that it has: a later next request than before. */
  readonly postpone: (key: number, next: number) => void
  readonly replaceTop: (key: number, next: number) => void
}

const absent = -1

/** A binary heap that knows where each key is. */
const furthest = (capacity: number, keys: number): Furthest => {
  const heap = new Uint32Array(capacity)
  const places = new Int32Array(keys).fill(absent)
  const nexts = new Uint32Array(keys)
  let size = 0

  const put = (key: number, place: number): void => {
    heap[place] = key
    places[key] = place
  }

  const rise = (key: number, from: number): void => {
    const next = nexts[key]!
    let place = from
    while (place > 0) {
      const parent = (place - 1) >>> 1
      const above = heap[parent]!
      if (nexts[above]! >= next) break
      put(above, place)
      place = parent
    }
    put(key, place)
  }

  const sink = (key: number, from: number): void => {
    const next = nexts[key]!
    let place = from
    for (;;) {
      let child = 2 * place + 1
      if (child >= size) break
      if (child + 1 < size && nexts[heap[child + 1]!]! > nexts[heap[child]!]!) child++
      const below = heap[child]!
      if (nexts[below]! <= next) break
      put(below, place)
      place = child
    }
    put(key, place)
  }

  return {
    has: (key) => places[key] !== absent,
    size: () => size,
    topNext: () => nexts[heap[0]!]!,
    add: (key, next) => {
      nexts[key] = next
      rise(key, size++)
    },
    postpone: (key, next) => {
      nexts[key] = next
      rise(key, places[key]!)
    },
    replaceTop: (key, next) => {
      places[heap[0]!] = absent
      nexts[key] = next
      sink(key, 0)
    },
  }
}

/** Hits among `requests`, with what {@link nextRequests} gives for them; requests are numbers below `keys`. */
export const limit = (
  { keys, next, requests }: { keys: number; next: Uint32Array; requests: Uint32Array },
  capacity: number,
): number => {
  const cached = furthest(capacity, keys)
  let hits = 0
  for (let at = 0; at < requests.length; at++) {
    const key = requests[at]!
    const again = next[at]!
    if (cached.has(key)) {
      hits++
      cached.postpone(key, again)
    } else if (cached.size() < capacity) {
      cached.add(key, again)
    } else if (again < cached.topNext()) {
      cached.replaceTop(key, again)
    }
  }
  return hits
}
