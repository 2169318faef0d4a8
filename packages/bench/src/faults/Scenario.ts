/** What happens to a server, and which keys are requested meanwhile. */

export type ScenarioName = "grace" | "cold" | "unreachable"

export interface Scenario {
  readonly name: ScenarioName
  readonly title: string
  /** What a library needs to take part. */
  readonly needs: "grace in memory" | "nothing"
}

/** How long, in ms, the server is frozen, and how long calls are made. */
export const faultMillis = 2_000

export const pace = { calls: 400, everyMillis: 5, patienceMillis: 15_000 }

/** How long a lookup takes, in ms. */
export const upstreamMillis = 20

export const scenarios: ReadonlyArray<Scenario> = [
  {
    name: "grace",
    title: "Redis frozen for 2 s, every value in memory and due for a refresh",
    needs: "grace in memory",
  },
  { name: "cold", title: "Redis frozen for 2 s, nothing in memory", needs: "nothing" },
  { name: "unreachable", title: "Redis unreachable from the start", needs: "nothing" },
]
