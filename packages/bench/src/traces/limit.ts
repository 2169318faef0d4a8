/**
 * Belady's limit: the hits of a cache that knows the future. No policy of the same size has more,
 * even one that may decline to cache a key.
 */

/**
 * For each request, the index of the next one for the same key; the number of requests when none
 * follows.
 */
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

/** A heap of numbers with the largest on top and room for this many. */
const largestOf = (room: number) => {
  const heap = new Uint32Array(room)
  let size = 0
  return {
    top: (): number => heap[0]!,
    add: (number: number): void => {
      let place = size++
      while (place > 0 && heap[(place - 1) >>> 1]! < number) {
        heap[place] = heap[(place - 1) >>> 1]!
        place = (place - 1) >>> 1
      }
      heap[place] = number
    },
    removeTop: (): void => {
      const number = heap[--size]!
      let place = 0
      for (;;) {
        let child = 2 * place + 1
        if (child >= size) break
        if (child + 1 < size && heap[child + 1]! > heap[child]!) child++
        if (heap[child]! <= number) break
        heap[place] = heap[child]!
        place = child
      }
      heap[place] = number
    },
  }
}

/**
 * The hits among requests, given the result of {@link nextRequests}. A cached key is represented by
 * its next request. A past request stays in the heap, below all future ones. A key without a
 * further request is never cached.
 */
export const limit = (next: Uint32Array, capacity: number): number => {
  const never = next.length
  const isCached = new Uint8Array(never)
  const cached = largestOf(never)
  let size = 0
  let hits = 0
  for (let at = 0; at < never; at++) {
    const again = next[at]!
    if (isCached[at] === 1) {
      hits++
      size--
    }
    if (again === never) continue
    if (size === capacity) {
      if (again >= cached.top()) continue
      isCached[cached.top()] = 0
      cached.removeTop()
      size--
    }
    cached.add(again)
    isCached[again] = 1
    size++
  }
  return hits
}
