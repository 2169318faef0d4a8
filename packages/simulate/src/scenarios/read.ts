/** Reads and lookups: what they may share, keep and believe. */
import { plainConfig } from "../plan/plain.ts"
import type { Scenario } from "./Scenario.ts"
import {
  A,
  B,
  expire,
  get,
  interrupt,
  invalidate,
  key,
  other,
  read,
  remove,
  requests,
  set,
  tag,
  times,
  upstream,
  wait,
} from "./steps.ts"

export const reading: ReadonlyArray<Scenario> = [
  {
    name: "no read after a node's own removal shares the answer of one from before",
    fault: "shared-read",
    plan: {
      config: plainConfig({ file: true, maxEntries: 1, nodes: 1 }),
      steps: [
        tag(key, "x"),
        get(A),
        wait(50),
        invalidate(A, "x"),
        // Memory has room for one: the value is in the file alone.
        get(A, other),
        wait(500),
        requests(A, "lost"),
        remove(A),
        wait(50),
        read(A),
        wait(150),
        read(A),
      ],
    },
  },
  {
    name: "nothing is looked up, or kept, for a key whose callers have left",
    fault: "left-lookup",
    plan: {
      config: plainConfig({ keys: 2, latency: 10 }),
      steps: [
        upstream(150),
        { _tag: "getMany", node: A, keys: [key, other] },
        get(A),
        interrupt(0),
        wait(50),
        expire(A, other),
        wait(50),
        // Whether the arbiter has the values that are looked up stays unknown.
        requests(A, "lost"),
        wait(500),
        get(A, other),
        wait(1_000),
      ],
    },
  },
  {
    name: "what a file has is fresh in memory for maxFreshFor after the arbiter has confirmed it",
    fault: "cap-per-hit",
    plan: {
      config: plainConfig({ file: true, maxFreshFor: 1_000 }),
      steps: [
        get(A),
        wait(100),
        requests(A, "lost"),
        ...times(10, () => [wait(300), get(A)]).flat(),
      ],
    },
  },
  {
    name: "what a tier answers after its lookup has ended is not kept",
    fault: "beside-after-end",
    plan: {
      config: plainConfig({ latency: 0 }),
      steps: [
        get(B),
        wait(2_000),
        set(A),
        requests(B, "slowAnswer"),
        { _tag: "get", node: B, key, maxAge: 1_000 },
        wait(40),
        // The caller joins the lookup for a younger value, and the tiers are read beside it.
        get(B),
        requests(B, "prompt"),
        wait(15),
        remove(A),
        wait(60),
        read(B),
      ],
    },
  },
]
