/** The size from which a value's size is a likely reason for a failed write. */
import { expect, it } from "@effect/vitest"
import { Clock, Effect, Logger } from "effect"
import { TierWarnings } from "../../../src/internal/tier/tierWarnings.ts"

it.effect("warns of a value of a megabyte that does not arrive, and of none below", () =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    const context = yield* Effect.provide(Effect.context<never>(), Logger.layer([logger]))
    const clock = yield* Clock.Clock
    const warnings = new TierWarnings("shared", { larder: "products", context, clock })
    expect(warnings.ofSize(999_999)).toBe(undefined)
    warnings.ofSize(1_000_000)?.("failed")
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/^products: a value of 1\.0 MB did not reach shared;/)
  }),
)
