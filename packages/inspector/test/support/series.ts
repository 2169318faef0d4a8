/** Made-up series, a sample each minute. */

/** How long something lasts, in minutes, and how much of it there is. */
export type Phase = readonly [minutes: number, amount: number]

const values = (samples: ReadonlyArray<number>): string => samples.join(" ")

/** A gauge that has a value for some minutes, then another. */
export const gauge = (...phases: ReadonlyArray<Phase>): string =>
  values(phases.flatMap(([minutes, value]) => Array.from({ length: minutes }, () => value)))

/** A counter from 0 that grows by an amount in each minute. */
export const counter = (...phases: ReadonlyArray<Phase>): string => {
  let total = 0
  return values([
    0,
    ...phases.flatMap(([minutes, amount]) =>
      Array.from({ length: minutes }, () => (total += amount)),
    ),
  ])
}

/** A counter whose process restarts between its parts: it begins at 0 again. */
export const restarted = (...parts: ReadonlyArray<string>): string => parts.join(" ")

/** A counter by what it grows in each minute. */
export const counterOf = (amounts: ReadonlyArray<number>): string =>
  counter(...amounts.map((amount): Phase => [1, amount]))
