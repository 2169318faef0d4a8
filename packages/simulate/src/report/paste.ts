/** A failing plan as a test to paste into test/regressions. */
import { laws, type Violation } from "../check/Violation.ts"
import type { Plan } from "../plan/Plan.ts"
import { differences } from "../plan/plain.ts"

export const pasted = ({ config, steps }: Plan, { law, text }: Violation): string =>
  `import { expect, it } from "vitest"
import { plainConfig } from "../../src/plan/plain.ts"
import { judge } from "../../src/run/judge.ts"

// Name the behaviour. Law ${laws[law]}: ${text.split("\n")[0]}
it("", () => {
  const { violations } = judge({
    config: plainConfig(${JSON.stringify(differences(config))}),
    steps: [
${steps.map((step) => `      ${JSON.stringify(step)},`).join("\n")}
    ],
  })
  expect(violations).toEqual([])
})`
