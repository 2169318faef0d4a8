/** A thread that judges the seeds that it is given. */
import { parentPort } from "node:worker_threads"
import type { Size } from "../plan/generate.ts"
import { judgeSeed } from "./judge.ts"

export interface Order {
  readonly seeds: ReadonlyArray<number>
  readonly size: Size
}

parentPort?.on("message", ({ seeds, size }: Order) => {
  parentPort?.postMessage(seeds.map((seed) => judgeSeed(seed, size)))
})
