/** What instrumented code reads and writes, in the process in which tests run. */

export interface Switchboard {
  /** The number of the mutant that is switched on; 0 for none. */
  active: number
  /** A byte for each placement: 1 once it was evaluated. */
  readonly covered: Uint8Array
}

declare global {
  var __larderMutate: Switchboard | undefined
}

/** Must be there before the first instrumented file is loaded. */
export const install = (placements: number, active: number): Switchboard =>
  (globalThis.__larderMutate = { active, covered: new Uint8Array(placements) })

/** The placements that were evaluated since the last call. */
export const takeCovered = ({ covered }: Switchboard): ReadonlyArray<number> => {
  const numbers: Array<number> = []
  for (let number = covered.indexOf(1); number !== -1; number = covered.indexOf(1, number + 1)) {
    numbers.push(number)
  }
  covered.fill(0)
  return numbers
}
