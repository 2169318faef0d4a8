/** How a library is set up over memory, over Redis, and over both. */
import type { Contender, Lifetimes } from "../../Contender.ts"
import { redisUrl } from "../../redis.ts"
import type { Product } from "../../source.ts"
import { lookup, type Promised, promised } from "../promised.ts"

export interface OpenOptions extends Lifetimes {
  /** Of the Redis server. Default: none. */
  readonly url?: string | undefined
  readonly load: (key: string) => Promise<Product>
  /** A memory tier, of the same size for all. Where a library cannot have one in front of Redis, it has none. */
  readonly memory: boolean
  /** Of every product, where a library has tags. Default: none. */
  readonly tag?: string | undefined
}

export interface Opened extends Promised {
  /** That it has not given Redis up for a while, where it does so. */
  readonly usesRedis?: () => Promise<boolean>
}

export type Open = (options: OpenOptions) => Promise<Opened>

/** Clients tell of a server that is away by an event; the figures tell what their callers see. */
export const ignore = (): void => undefined

/** The milliseconds for which a value is of any use. */
export const lifeOf = ({ freshMillis, graceMillis }: Lifetimes): number => freshMillis + graceMillis

/** Without a grace, which asks some libraries for more work at every hit. */
const longFresh: Lifetimes = { freshMillis: 3_600_000, graceMillis: 0 }

export const overMemory = (open: Open): Contender =>
  promised(({ lifetimes = longFresh, source, tag }) =>
    open({ ...lifetimes, load: lookup(source), memory: true, tag }),
  )

export const overRedis = (open: Open): Contender =>
  promised(({ lifetimes = longFresh, source }) =>
    open({ ...lifetimes, load: lookup(source), memory: false, url: redisUrl() }),
  )
