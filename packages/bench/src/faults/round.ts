/** One scenario and library, in a process of its own. */
import * as Effect from "effect/Effect"
import { after, now, sleep } from "../clock.ts"
import { lookup } from "../contenders/promised.ts"
import type { Open, Opened, OpenOptions } from "../contenders/peers/peer.ts"
import { layered } from "../contenders/registry.ts"
import * as redis from "../redis.ts"
import * as Source from "../source.ts"
import { paced } from "./paced.ts"
import { pace, type Scenario, scenarios, type Seen, seen, upstreamMillis } from "./report.ts"

/** How long the server is frozen, and how long calls are made. */
const faultMillis = pace.calls * pace.everyMillis

const warmUpCalls = 100

const source = Source.make(pace.calls + warmUpCalls, upstreamMillis)
const asked = source.keys.slice(0, pace.calls)
const others = source.keys.slice(pace.calls)

type Get = (key: string) => Promise<unknown>

const options = (url: string): OpenOptions => ({
  url,
  load: lookup(source),
  memory: true,
  freshMillis: 1_000,
  graceMillis: 3_600_000,
})

/** Makes the calls, each for a key of its own, and counts their lookups. */
const watched = async (get: Get): Promise<Seen> => {
  const before = source.lookups()
  const outcomes = await paced(pace, (number) => get(asked[number]!))
  return seen(outcomes, source.lookups() - before)
}

/** Ten at a time: a burst could already look like a fault. */
const all = async (keys: ReadonlyArray<string>, get: Get): Promise<void> => {
  const left = keys.values()
  const worker = async () => {
    for (const key of left) await get(key)
  }
  await Promise.all(Array.from({ length: 10 }, worker))
}

/**
 * Waits until no lookup has begun for a while: refreshes after the warm-up do not belong to the
 * measured calls.
 */
const quiet = async (): Promise<void> => {
  for (let before = -1; before !== source.lookups(); await sleep(300)) before = source.lookups()
}

/** Runs misses, hits and stale hits, so that code is compiled and connections are open. */
const warmUp = async (get: Get, keys: ReadonlyArray<string>): Promise<void> => {
  await all(keys, get)
  await all(others, get)
  await sleep(1_200)
  await paced({ ...pace, calls: others.length }, (number) => get(others[number]!))
  await quiet()
}

/**
 * Waits until the library uses Redis: a fault of a server that the library does not use has no
 * effect, so the figures would say nothing.
 */
const untilItUsesRedis = async ({ get, usesRedis }: Opened): Promise<void> => {
  if (usesRedis === undefined) return
  const end = now() + 20_000
  while (!(await usesRedis())) {
    if (now() > end) throw new Error("it has given up a healthy Redis")
    await get(others[0]!)
    await sleep(200)
  }
}

const frozen = (open: Open, inMemory: boolean): Promise<Seen> =>
  redis.withServer(async (server) => {
    const opened = await open(options(server.url))
    const { get } = opened
    await warmUp(get, inMemory ? [...asked, ...others] : others)
    await untilItUsesRedis(opened)
    await Effect.runPromise(server.freeze)
    after(faultMillis, () => Effect.runFork(server.thaw))
    return watched(get)
  })

/**
 * Uses the port of a stopped server. Opening may wait for it: that time counts for the callers too.
 */
const unreachable = async (open: Open): Promise<Seen> => {
  const url = await redis.withServer(async (server) => server.url)
  const opened = open(options(url))
  return watched(async (key) => (await opened).get(key))
}

const run: Readonly<Record<Scenario, (open: Open) => Promise<Seen>>> = {
  grace: (open) => frozen(open, true),
  cold: (open) => frozen(open, false),
  unreachable,
}

export const figures = async (scenarioName: string, libraryName: string): Promise<Seen> => {
  const scenario = scenarios.find((name) => name === scenarioName)
  const library = layered[libraryName]
  if (scenario === undefined || library === undefined) {
    throw new Error(`no such round: ${scenarioName} ${libraryName}`)
  }
  return run[scenario]((await library.load()).open)
}
