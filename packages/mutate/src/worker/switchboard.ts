/** The state shared with instrumented code, in the process that runs the tests. */

export interface Switchboard {
  /** The number of the active mutant; 0 for none. */
  active: number
  /** One byte per placement: 1 once it was evaluated. */
  readonly covered: Uint8Array
}

declare global {
  var __larderMutate: Switchboard | undefined
}

/** Call it before the first instrumented file loads. */
export const install = (placements: number, active: number): Switchboard =>
  (globalThis.__larderMutate = { active, covered: new Uint8Array(placements) })

/** The placements evaluated since the last call. */
export const takeCovered = ({ covered }: Switchboard): ReadonlyArray<number> => {
  const numbers: Array<number> = []
  for (let number = covered.indexOf(1); number !== -1; number = covered.indexOf(1, number + 1)) {
    numbers.push(number)
  }
  covered.fill(0)
  return numbers
}
