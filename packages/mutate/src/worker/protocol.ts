/** The messages between the command and its workers: one JSON message per line. */
import type { Socket } from "node:net"

/** A test of a worker: `key` is the same in every process. */
export interface Measured {
  readonly key: string
  readonly file: string
  readonly millis: number
  readonly passed: boolean
  /** The placements that the test evaluates. */
  readonly covered: ReadonlyArray<number>
}

/** A test to run for a mutant, with its time limit in ms. */
export interface Planned {
  readonly key: string
  readonly limit: number
}

export type Request =
  | { readonly _tag: "Measure" }
  | { readonly _tag: "Try"; readonly mutant: number; readonly tests: ReadonlyArray<Planned> }

export type Answer =
  /** The test files are loaded. Contains the placements that loading evaluated. */
  | {
      readonly _tag: "Ready"
      readonly worker: number
      readonly loaded: ReadonlyArray<number>
      readonly broken: ReadonlyArray<string>
    }
  /** A test is about to begin: the worker is in no endless loop. */
  | { readonly _tag: "Alive" }
  | { readonly _tag: "Measured"; readonly tests: ReadonlyArray<Measured> }
  | { readonly _tag: "Survived" }
  /** The tool itself failed. */
  | { readonly _tag: "Broken"; readonly reason: string }
  | {
      readonly _tag: "Noticed"
      readonly by: string
      readonly timedOut: boolean
      /**
       * Whether the worker is still usable: the test passes without the mutant, and nothing keeps
       * running.
       */
      readonly sound: boolean
    }

export const send = (socket: Socket, message: Request | Answer): void => {
  socket.write(`${JSON.stringify(message)}\n`)
}

/** Calls `take` with each line, however the input is split into chunks. */
export const lines = (take: (line: string) => void): ((chunk: string) => void) => {
  let rest = ""
  return (chunk) => {
    const parts = (rest + chunk).split("\n")
    rest = parts.pop() ?? ""
    for (const part of parts) take(part)
  }
}
