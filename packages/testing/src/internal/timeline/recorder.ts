/** Keeps the records of a timeline, in the order in which things happen. */
import type { Instrument } from "@larder/core"
import { timelineRecords } from "../limits.ts"
import type { Answer, Called, Method, Record } from "./record.ts"
import { recorded } from "./recordedLarder.ts"

/** Where a larder is. */
export interface Place {
  readonly node: string
  readonly larder: string
}

export class Recorder {
  /** When the timeline began, ms of virtual time. */
  readonly began: number
  readonly now: () => number
  #records: Array<Record> = []
  #forgotten = 0
  #nodes: Array<string> = []
  #larders: Array<string> = []
  /** The clusters of the larders whose versions an arbiter orders, by {@link placeName}. */
  readonly #clusters = new Map<string, string>()
  #calls = 0
  /** Calls without an answer. */
  readonly #waiting = new Set<Called>()

  constructor(now: () => number) {
    this.now = now
    this.began = now()
  }

  get records(): ReadonlyArray<Record> {
    return this.#records
  }

  /** How many of the oldest records are gone. */
  get forgotten(): number {
    return this.#forgotten
  }

  /** The nodes, in the order of their first record. */
  get nodes(): ReadonlyArray<string> {
    return this.#nodes
  }

  /** The larders, in the order of their first record. */
  get larders(): ReadonlyArray<string> {
    return this.#larders
  }

  add(record: Record): void {
    if (!this.#nodes.includes(record.node)) this.#nodes = [...this.#nodes, record.node]
    if ("larder" in record && !this.#larders.includes(record.larder)) {
      this.#larders = [...this.#larders, record.larder]
    }
    this.#records.push(record)
    if (this.#records.length > 2 * timelineRecords) {
      this.#forgotten += this.#records.length - timelineRecords
      this.#records = this.#records.slice(-timelineRecords)
    }
  }

  note(node: string, text: string): void {
    this.add({ _tag: "Noted", at: this.now(), node, text })
  }

  /** The larders of one name and one cluster share an arbiter, so that their versions compare. */
  clusterOf(place: Place): string | undefined {
    return this.#clusters.get(placeName(place))
  }

  begin({ larder, node }: Place, method: Method, keys: ReadonlyArray<string>): Called {
    this.#calls += 1
    const at = this.now()
    const call: Called = { _tag: "Called", at, node, larder, call: this.#calls, method, keys }
    this.#waiting.add(call)
    this.add(call)
    return call
  }

  /** Ends a call, unless it has ended with its node. */
  end(call: Called, answers: ReadonlyArray<Answer>): void {
    if (!this.#waiting.delete(call)) return
    const at = this.now()
    this.add({ ...call, _tag: "Answered", at, millis: at - call.at, answers })
  }

  /** Ends the calls of a node whose process was killed: their callers were in it. */
  killed(node: string): void {
    this.note(node, "killed")
    for (const call of this.#waiting) {
      if (call.node === node) this.end(call, [{ _tag: "Left" }])
    }
  }

  /** Records the larders of one node of a cluster. */
  instrument(node: string, cluster: string): Instrument.Instrument {
    return {
      event: (event) =>
        this.add({ _tag: "Happened", at: this.now(), node, larder: event.larder, event }),
      decision: (decided) => this.add({ _tag: "Decided", at: this.now(), node, ...decided }),
      wrap: (larder, how) => {
        const place = { node, larder: larder.name }
        if (how.tiers.some(({ scope }) => scope === "shared")) {
          this.#clusters.set(placeName(place), cluster)
        }
        return recorded(larder, { recorder: this, place, keyOf: how.keyOf })
      },
    }
  }
}

export const placeName = ({ larder, node }: Place): string => JSON.stringify([node, larder])
