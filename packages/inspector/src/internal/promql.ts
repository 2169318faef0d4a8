/** Expressions and durations as Prometheus writes them. */

const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
] as const

/** A duration as rule files and range selectors have it, such as `1h30m`; at least a millisecond. */
export const durationText = (millis: number): string => {
  let rest = Math.max(1, Math.round(millis))
  return units.reduce((text, [unit, size]) => {
    const whole = Math.floor(rest / size)
    rest -= whole * size
    return whole === 0 ? text : `${text}${whole}${unit}`
  }, "")
}

/** The rate of a counter within a window, added up over the nodes and whatever else is not named. */
export const rateBy = (labels: string, selector: string, window: string): string =>
  `sum by (${labels}) (rate(${selector}[${window}]))`
