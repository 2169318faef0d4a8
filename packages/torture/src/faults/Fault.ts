/** What can be done to nodes, to servers and to the ways between them. Each fault ends what it began. */
import type * as Effect from "effect/Effect"
import type { Random } from "../random.ts"
import type { Backend, Links, StackName } from "../run/backend.ts"
import type { Worker } from "../run/workers.ts"

export interface Target {
  readonly worker: Worker
  readonly links: Links
}

export interface World {
  readonly random: Random
  readonly stack: StackName
  readonly backend: Backend
  readonly nodes: ReadonlyArray<Target>
  /** Keys that bursts have set. */
  readonly burstKeys: Array<string>
}

/** What has been done. */
export interface Done {
  readonly detail: string
  readonly loses?: boolean | undefined
  readonly unharmed?: ReadonlyArray<string> | undefined
}

/** What only one fault at a time may hold. */
export type Place = "servers" | "node"

export interface Fault {
  readonly kind: string
  readonly at: Place
  readonly suits: (stack: StackName) => boolean
  /** `node` is the one that is hit, where the fault hits one. */
  readonly run: (world: World, node: Target) => Effect.Effect<Done, unknown>
}
