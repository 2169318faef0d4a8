/** All scenarios. */
import { reading } from "./read.ts"
import { recovering } from "./recover.ts"
import type { Scenario } from "./Scenario.ts"
import { onServers } from "./servers.ts"
import { writing } from "./write.ts"

export const scenarios: ReadonlyArray<Scenario> = [
  ...reading,
  ...recovering,
  ...writing,
  ...onServers,
]
