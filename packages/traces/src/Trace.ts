/** A sequence of requests, with each different key held once. */

export interface Trace {
  /** The different keys, in the order of their first appearance. */
  readonly keys: ReadonlyArray<string>
  /** The key of each request, as an index into `keys`. */
  readonly requests: Uint32Array
}

/** Records requests one by one; `key` may be of any type that a `Map` distinguishes. */
export interface Recorder<Key> {
  readonly add: (key: Key) => void
  readonly trace: () => Trace
}

const firstRoom = 1_024

export const recorder = <Key extends string | number>(): Recorder<Key> => {
  const places = new Map<Key, number>()
  let requests = new Uint32Array(firstRoom)
  let count = 0
  return {
    add: (key) => {
      let place = places.get(key)
      if (place === undefined) places.set(key, (place = places.size))
      if (count === requests.length) {
        const larger = new Uint32Array(2 * count)
        larger.set(requests)
        requests = larger
      }
      requests[count++] = place
    },
    trace: () => ({ keys: Array.from(places.keys(), String), requests: requests.slice(0, count) }),
  }
}

/** The number of requests and of different keys, as text. */
export const size = ({ keys, requests }: Trace): string =>
  `${requests.length.toLocaleString("en")} requests for ${keys.length.toLocaleString("en")} keys`
