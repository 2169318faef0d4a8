/** A thread that judges the seeds that it is given, one at a time. */
import { parentPort } from "node:worker_threads"
import type { Size } from "../plan/generate.ts"
import { judgeSeed } from "./judge.ts"

export interface Order {
  readonly seed: number
  readonly size: Size
}

parentPort?.on("message", ({ seed, size }: Order) => {
  parentPort?.postMessage(judgeSeed(seed, size))
})
