/** A configuration in which nothing ends by itself while a short plan is played. */
import type { Config } from "./Plan.ts"

const plain: Config = {
  nodes: 2,
  keys: 1,
  file: false,
  freshFor: 60_000,
  staleWhileRevalidate: 0,
  staleIfError: 60_000,
  earlyRefresh: false,
  softTimeout: null,
  hardTimeout: 300,
  tierWrites: "awaited",
  checked: false,
  maxEntries: 10_000,
  maxFreshFor: null,
  leaseTime: 1_000,
  settleTime: 60_000,
  push: false,
  latency: 1,
  skews: [],
  seed: 1,
}

export const plainConfig = (different: Partial<Config>): Config => ({ ...plain, ...different })

/** The options of a configuration that are not those of {@link plainConfig}. */
export const differences = (config: Config): Partial<Config> =>
  Object.fromEntries(
    Object.entries(config).filter(
      ([name, value]) => JSON.stringify(value) !== JSON.stringify(plain[name as keyof Config]),
    ),
  )
