/** Numbers as they are shown. */
import type { Result } from "../result.ts"

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 })

/** About three digits, never in exponents: 4,370, 206, 12.7, 1.05, 0.08. */
export const short = (value: number): string => {
  if (value >= 99.95) return grouped.format(value)
  if (value >= 9.995) return value.toFixed(1)
  return value.toFixed(2)
}

/** A round number, as on an axis. */
export const label = (value: number): string =>
  value.toLocaleString("en", { maximumSignificantDigits: 2 })

export const figure = (unit: Result["unit"], value: number): string => `${short(value)} ${unit}`

export const times = (ratio: number): string => `${short(ratio)}x`
