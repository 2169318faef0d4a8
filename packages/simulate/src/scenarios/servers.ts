/** An arbiter of several servers, of which one is away. */
import { closesBreakers, looksUpNothing } from "./expectations.ts"
import { plainConfig } from "../plan/plain.ts"
import type { Scenario } from "./Scenario.ts"
import { A, B, get, other, serverAway, serverReplaced, times, wait } from "./steps.ts"

/** The second server is asked until its breaker opens: each time again, since failures at once count as one. */
const opensSecond = times(6, (index) => [get(A, `asked${2 * index + 1}`), wait(250)]).flat()

export const onServers: ReadonlyArray<Scenario> = [
  {
    name: "a server that is away takes no other server from its keys",
    fault: "one-server-away",
    plan: {
      config: plainConfig({ keys: 2, servers: 2 }),
      steps: [
        get(A, "opens0"),
        get(B),
        wait(500),
        serverAway(1),
        ...opensSecond,
        get(A),
        wait(500),
        serverReplaced(1),
      ],
    },
    expects: looksUpNothing(A),
  },
  {
    name: "the breaker of a server that is gone is told no more",
    fault: "breaker-of-old-server",
    plan: {
      config: plainConfig({ keys: 2, servers: 2 }),
      steps: [
        get(A, other),
        wait(500),
        serverAway(1),
        ...opensSecond,
        serverReplaced(1),
        get(A, "asked101"),
        wait(1_000),
      ],
    },
    expects: closesBreakers(A),
  },
]
