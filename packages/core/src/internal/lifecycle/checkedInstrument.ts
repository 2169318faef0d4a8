/** An instrument as a larder may use it: checked, and unable to disturb the call that it is told of. */
import { InvalidOptions } from "../../InvalidOptions.ts"
import type { Instrument } from "../../Instrument.ts"
import type { Warnings } from "../observe/warnings.ts"
import type { NamesOf } from "../runtime/optionNames.ts"
import { isHits } from "../state/hitsOption.ts"

const names: NamesOf<Instrument> = {
  event: true,
  hits: true,
  decision: true,
  isKilled: true,
  wrap: true,
}

const invalid = (field: string, must: string, got: unknown): InvalidOptions =>
  InvalidOptions.of({ module: "Instrument", field, must, got })

/** Throws `InvalidOptions`. */
const check = (instrument: Instrument): void => {
  const mistake = InvalidOptions.ofNames({ module: "Instrument", names, got: instrument })
  if (mistake !== undefined) throw mistake
  for (const field of ["event", "decision", "isKilled", "wrap"] as const) {
    const got: unknown = instrument[field]
    if (got !== undefined && typeof got !== "function") {
      throw invalid(field, "be a function, or be left out", got)
    }
  }
  const { hits = "all" } = instrument
  if (!isHits(hits)) throw invalid("hits", 'be "all", "sampled" or "none"', hits)
}

/**
 * Race: an event is told in the middle of a step of a call. A function that throws there would leave the
 * step half done, so it becomes a warning.
 */
const guarded = <A>(
  field: "event" | "decision",
  told: ((one: A) => void) | undefined,
  warnings: Warnings,
): ((one: A) => void) | undefined =>
  told &&
  ((one) => {
    try {
      told(one)
    } catch {
      // The cause is not told, which may quote a key or a value.
      warnings.warn(
        `instrument ${field}`,
        `the function ${field} of the Instrument threw, so it has missed something. Make it work for all that it is told`,
      )
    }
  })

export const checkedInstrument = (instrument: Instrument, warnings: Warnings): Instrument => {
  check(instrument)
  return {
    ...instrument,
    event: guarded("event", instrument.event?.bind(instrument), warnings),
    decision: guarded("decision", instrument.decision?.bind(instrument), warnings),
    isKilled: instrument.isKilled?.bind(instrument),
    wrap: instrument.wrap?.bind(instrument),
  }
}
