/** How a library is set up over Redis: for second-tier hits without memory, for faults with it. */
import type { Contender } from "../../Contender.ts"
import { redisUrl } from "../../redis.ts"
import type { Product } from "../../source.ts"
import { lookup, type Promised, promised } from "../promised.ts"

export interface OpenOptions {
  /** Of the Redis server. */
  readonly url: string
  readonly load: (key: string) => Promise<Product>
  /** A memory tier in front, of the same size for all. Where a library cannot have one, it has none. */
  readonly memory: boolean
  readonly freshMillis: number
  /** How long after that a value is given at once and refreshed behind, where a library does so. */
  readonly graceMillis: number
}

export interface Opened extends Promised {
  /** That it has not given Redis up for a while, where it does so. */
  readonly usesRedis?: () => Promise<boolean>
}

export type Open = (options: OpenOptions) => Promise<Opened>

/** Clients tell of a server that is away by an event; the figures tell what their callers see. */
export const ignore = (): void => undefined

export const overRedis = (title: string, open: Open): Contender =>
  promised({
    title,
    setup: (source) =>
      open({
        url: redisUrl(),
        load: lookup(source),
        memory: false,
        freshMillis: 3_600_000,
        graceMillis: 600_000,
      }),
  })
