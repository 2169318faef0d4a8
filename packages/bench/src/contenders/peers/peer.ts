/** How to set up a library over memory, over Redis, and over both. */
import type { Contender, Lifetimes } from "../../Contender.ts"
import type { Product } from "../../source.ts"
import { lookup, type Promised, promised } from "../promised.ts"

export interface OpenOptions extends Lifetimes {
  /** The URL of the Redis server. Default: none. */
  readonly url?: string | undefined
  readonly load: (key: string) => Promise<Product>
  /**
   * Whether to use a memory tier, of the same size for all. A library that cannot have one in front
   * of Redis has none.
   */
  readonly memory: boolean
  /** The tag of every product, for libraries with tags. Default: none. */
  readonly tag?: string | undefined
}

export interface Opened extends Promised {
  /**
   * Whether the library uses Redis at the moment; for libraries that stop for a while after
   * failures.
   */
  readonly usesRedis?: () => Promise<boolean>
}

export type Open = (options: OpenOptions) => Promise<Opened>

/** Clients report an unreachable server by an event; the figures show what callers see. */
export const ignore = (): void => undefined

/** How long, in ms, a value can be served, fresh or stale. */
export const lifeOf = ({ freshMillis, graceMillis }: Lifetimes): number => freshMillis + graceMillis

/** No stale-while-revalidate: it makes some libraries do more work on every hit. */
const longFresh: Lifetimes = { freshMillis: 3_600_000, graceMillis: 0 }

export const overMemory = (open: Open): Contender =>
  promised(({ lifetimes = longFresh, source, tag }) =>
    open({ ...lifetimes, load: lookup(source), memory: true, tag }),
  )

export const overRedis = (open: Open): Contender =>
  promised(({ lifetimes = longFresh, redis, source }) =>
    open({ ...lifetimes, load: lookup(source), memory: false, url: redis }),
  )
