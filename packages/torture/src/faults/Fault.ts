/**
 * The interface of faults in nodes, in servers and in the links between them. Each fault ends what
 * it began.
 */
import type * as Effect from "effect/Effect"
import type { Choices } from "@larder/traces/choices"
import type { Backend, Links, StackName } from "../run/backend.ts"
import type { Worker } from "../run/workers.ts"

export interface Target {
  readonly worker: Worker
  readonly links: Links
}

export interface World {
  readonly random: Choices
  readonly stack: StackName
  readonly backend: Backend
  readonly nodes: ReadonlyArray<Target>
  /** The keys that bursts have set. */
  readonly burstKeys: Array<string>
}

/** A record of the fault. */
export interface Done {
  readonly detail: string
  /** The nodes that it reached. Default: its target, or all for a fault of servers. */
  readonly nodes?: ReadonlyArray<string> | undefined
  readonly loses?: boolean | undefined
  readonly unharmed?: ReadonlyArray<string> | undefined
}

/** A place that only one fault at a time may use. */
export type Place = "servers" | "node"

export interface Fault {
  readonly kind: string
  readonly at: Place
  readonly suits: (stack: StackName) => boolean
  /** `node` is the target of faults that hit one node. */
  readonly run: (world: World, node: Target) => Effect.Effect<Done, unknown>
}
