/**
 * The checks of the guard. Fibers, clock readings and draws are counted by
 * packages/bench/test/counts.test.ts instead.
 */
import { named } from "../command.ts"
import { allocation } from "./allocation.ts"
import type { Check } from "./judge.ts"
import { ratios } from "./ratios.ts"

export const checks: ReadonlyArray<Check & { readonly name: string }> = Object.entries<Check>({
  ...ratios,
  ...allocation,
}).map(([name, check]) => ({ name, ...check }))

/** Measures one check; it runs in a separate process. */
export const figures = (name: string): Promise<number> => named("check", checks, name).measure()
