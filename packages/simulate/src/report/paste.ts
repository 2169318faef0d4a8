/** A failing plan as a test to paste into test/regressions. */
import { laws, type Violation } from "../check/Violation.ts"
import type { Plan } from "../plan/Plan.ts"

const indented = (value: unknown): string => JSON.stringify(value)

export const pasted = ({ config, steps }: Plan, { law, text }: Violation): string =>
  `import { expect, it } from "vitest"
import { judge } from "../../src/run/judge.ts"

// Name the behaviour. Law ${laws[law]}: ${text.split("\n")[0]}
it("", () => {
  const { violations } = judge({
    config: ${indented(config)},
    steps: [
${steps.map((step) => `      ${indented(step)},`).join("\n")}
    ],
  })
  expect(violations).toEqual([])
})`
