/** Simulates seeds over a copy until one shows the defect. */
import * as Effect from "effect/Effect"
import { printed } from "./run.ts"

export interface Hunt {
  readonly seeds: number
}

export interface Caught {
  readonly seed: number
  /** The laws that this seed breaks. */
  readonly laws: ReadonlyArray<string>
}

interface Printed {
  readonly histories: number
  readonly broken: Readonly<Record<string, ReadonlyArray<number>>>
}

/** The first seed that shows a violation; undefined for none. */
export const hunt = (folder: string, { seeds }: Hunt): Effect.Effect<Caught | undefined> =>
  Effect.map(printed(folder, "main.ts", ["--seeds", `${seeds}`, "--first", "--json"]), (report) => {
    const { broken } = report as Printed
    const seed = Math.min(...Object.values(broken).flat())
    if (seed === Infinity) return undefined
    const laws = Object.keys(broken).filter((law) => broken[law]?.includes(seed))
    return { seed, laws }
  })

/** What the scenario of a fault shows; empty for nothing. */
export const played = (folder: string, fault: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(
    printed(folder, "scenarios/main.ts", [fault]),
    (faults) => faults as ReadonlyArray<string>,
  )
