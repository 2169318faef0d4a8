/**
 * Warnings about values that a tier cannot store: every node looks up the keys of such values for
 * itself.
 */
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import { Warnings } from "../observe/warnings.ts"
import { largeValueBytes } from "../runtime/limits.ts"

const megabytes = (bytes: number): string => `${(bytes / 1_000_000).toFixed(1)} MB`

export class TierWarnings {
  readonly #about: { readonly tier: string }
  readonly #warnings: Warnings

  constructor(
    tier: string,
    {
      clock,
      context,
      larder,
    }: {
      readonly larder: string
      readonly context: Context.Context<never>
      readonly clock: Clock.Clock
    },
  ) {
    this.#about = { tier }
    this.#warnings = new Warnings(larder, clock, context)
  }

  /** The value's schema or the tier's wire rejects it. The reason is not logged, as it may quote the value. */
  unwritable(): void {
    this.#warnings.warn(
      "unwritable",
      (tier = "the tier") =>
        `a value cannot be encoded as bytes, so ${tier} does not store it, and every node looks its key up for itself. The event TierFailed with operation "encode" has the reason; change the \`value\` schema or the tier's wire so that they encode such values`,
      this.#about,
    )
  }

  /** The tier refused a value of this size, or has no room. */
  refused(bytes: number | undefined): void {
    const size = bytes === undefined ? "a value" : `a value of ${megabytes(bytes)}`
    this.#warnings.warn(
      "refused",
      (tier = "the tier") =>
        `${tier} refused ${size} and removed the previous one, so every node looks the key up for itself. Give the tier more memory, or compress such values (Wire.compressed)`,
      this.#about,
    )
  }

  /** A memory tier refused a value of this weight. */
  tooHeavy(): void {
    this.#warnings.warn(
      "tooHeavy",
      (tier = "the tier") =>
        `${tier} refused a value that is heavier than maxWeight. Raise maxWeight, return a lower weight from weigh, or store less under one key`,
      this.#about,
    )
  }

  /** A handler for failed writes; `undefined` for a value whose size is no likely reason. */
  ofSize(bytes: number): ((failure: "failed" | "timedOut") => void) | undefined {
    if (bytes < largeValueBytes) return undefined
    return (failure) =>
      this.#warnings.warn(
        "large",
        (tier = "the tier") =>
          `a value of ${megabytes(bytes)} did not reach ${tier}${failure === "timedOut" ? " within tierTimeout" : ""}; until it does, every node looks the key up for itself. Compress such values (Wire.compressed), raise tierTimeout, or store less under one key`,
        this.#about,
      )
  }
}
