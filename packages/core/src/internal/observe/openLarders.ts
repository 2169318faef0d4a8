/** The open larders of this process, for code that watches all of them: log lines, detectors. */
import type { Observer } from "./eventHub.ts"
import type { Registered } from "./registry.ts"

export interface OpenLarder {
  readonly observer: Observer
  /** The tiers, nearest first. */
  readonly tiers: ReadonlyArray<string>
  /** When the larder was made, ms of monotonic time. */
  readonly madeAt: number
  /** Adds series to the metrics of the larder, until it closes. */
  readonly addSeries: Registered["add"]
}

/** Begins to watch a larder; returns a function that ends it. */
type Watch = (larder: OpenLarder) => () => void

interface Watcher {
  readonly watch: Watch
  readonly ends: Map<OpenLarder, () => void>
}

const larders = new Set<OpenLarder>()
const watchers = new Set<Watcher>()

const attach = ({ ends, watch }: Watcher, larder: OpenLarder): void => {
  ends.set(larder, watch(larder))
}

/** Registers a larder; returns a function that ends that. */
export const open = (larder: OpenLarder): (() => void) => {
  larders.add(larder)
  for (const watcher of watchers) attach(watcher, larder)
  return () => {
    larders.delete(larder)
    for (const { ends } of watchers) {
      ends.get(larder)?.()
      ends.delete(larder)
    }
  }
}

/** Watches all larders that are open, and those that will be. Returns a function that ends it. */
export const watchAll = (watch: Watch): (() => void) => {
  const watcher: Watcher = { watch, ends: new Map() }
  watchers.add(watcher)
  for (const larder of larders) attach(watcher, larder)
  return () => {
    watchers.delete(watcher)
    for (const end of watcher.ends.values()) end()
  }
}
