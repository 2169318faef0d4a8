/** From values to places along an axis. */

export interface Scale {
  readonly logarithmic: boolean
  /** Where the axis begins and ends. */
  readonly from: number
  readonly to: number
  readonly ticks: ReadonlyArray<number>
  /** The share of the axis that lies before a value: 0 to 1. */
  readonly at: (value: number) => number
}

/** Above this the shorter of two bars would be a line. */
const linearSpread = 20

const steps = [1, 2, 5, 10] as const

const powerBelow = (value: number): number => 10 ** Math.floor(Math.log10(value))

const roundStep = (step: number): number => {
  const power = powerBelow(step)
  return power * (steps.find((factor) => factor * power >= step * (1 - 1e-9)) ?? 10)
}

/** From zero to a round number. */
export const linear = (max: number): Scale => {
  const step = roundStep(max / 5)
  const count = Math.ceil(max / step - 1e-9)
  const to = step * count
  return {
    logarithmic: false,
    from: 0,
    to,
    ticks: Array.from({ length: count + 1 }, (_, index) => step * index),
    at: (value) => value / to,
  }
}

/** Between the nearest of 1, 2 and 5 times a power of ten. */
export const logarithmic = (min: number, max: number): Scale => {
  const powers = Array.from(
    { length: Math.floor(Math.log10(max)) - Math.floor(Math.log10(min)) + 2 },
    (_, index) => 10 ** (Math.floor(Math.log10(min)) + index),
  )
  const round = powers.flatMap((power) => [power, 2 * power, 5 * power])
  const from = round.findLast((value) => value <= min) ?? min
  const to = round.find((value) => value >= max) ?? max
  const within = round.filter((value) => value >= from && value <= to)
  const length = Math.log(to / from)
  return {
    logarithmic: true,
    from,
    to,
    // So many that their labels do not touch.
    ticks: within.length > 8 ? powers.filter((value) => value >= from && value <= to) : within,
    at: (value) => Math.log(value / from) / length,
  }
}

/** For bars: from zero, or logarithmic where the spread is too wide for that. */
export const forBars = (min: number, max: number): Scale =>
  max / min > linearSpread ? logarithmic(min * 0.7, max) : linear(max)
