/** The lines that the processes of a run of writes log. Times are of the machine's monotonic clock, ms. */

/** How a process writes: what wraps the change of the source, or what puts it behind. */
export type Mode = "around" | "through" | "update" | "put" | "count"

export type WriteLine =
  /** A write begins: whatever happens to its process, it may have changed the source from now on. */
  | {
      readonly t: "begun"
      readonly id: string
      readonly key: string
      readonly mode: Mode
      readonly process: string
      readonly at: number
    }
  /** A write was acknowledged. `settled`: whether all tiers have it, where the larder says so. */
  | {
      readonly t: "acknowledged"
      readonly id: string
      readonly at: number
      readonly version: number
      readonly settled: boolean | undefined
    }
  /** Nobody knows whether the source has it. */
  | { readonly t: "failed"; readonly id: string; readonly at: number; readonly why: string }
  /** The source was asked to keep it under this version. */
  | {
      readonly t: "tried"
      readonly process: string
      readonly key: string
      readonly ids: ReadonlyArray<string>
      readonly version: number
      readonly at: number
    }
  /** A read; `id` is the newest write in its value. */
  | {
      readonly t: "read"
      readonly process: string
      readonly key: string
      readonly from: number
      readonly to: number
      readonly id: string | undefined
      readonly isFresh: boolean
      readonly tier: string
    }
  /** The last read of a key by a process, after everything has settled. */
  | {
      readonly t: "final"
      readonly process: string
      readonly key: string
      readonly id: string | undefined
      readonly why: string | undefined
    }
  | { readonly t: "dead"; readonly key: string; readonly why: string }
  | {
      readonly t: "unhandled"
      readonly node: string
      readonly at: number
      readonly error: string
    }
  | { readonly t: "stall"; readonly node: string; readonly from: number; readonly to: number }
  | {
      readonly t: "fault"
      readonly kind: FaultKind
      readonly node: string | undefined
      /** The process that was killed. */
      readonly process: string | undefined
      readonly from: number
      readonly to: number
    }
  /** What the source has at the end. */
  | {
      readonly t: "source"
      readonly key: string
      readonly ids: ReadonlyArray<string>
      readonly version: number
    }

export type FaultKind = "kill worker" | "pause worker" | "kill redis" | "kill postgres"

export type Of<T extends WriteLine["t"]> = Extract<WriteLine, { readonly t: T }>
