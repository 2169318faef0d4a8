/** Sets: their place among the changes of other nodes, and values on their way in the background. */
import { plainConfig } from "../plan/plain.ts"
import type { Scenario } from "./Scenario.ts"
import {
  A,
  B,
  expire,
  get,
  invalidate,
  key,
  messages,
  other,
  read,
  remove,
  requests,
  set,
  tag,
  times,
  wait,
} from "./steps.ts"

const inBackground = plainConfig({ tierWrites: "background" })

export const writing: ReadonlyArray<Scenario> = [
  {
    name: "a settled set is above the marks of other nodes that its own node has not heard of",
    fault: "set-under-mark",
    plan: {
      config: plainConfig({}),
      steps: [
        tag(key, "x"),
        get(A, other),
        get(B, other),
        wait(50),
        messages(A, "cut"),
        invalidate(B, "x"),
        wait(10),
        set(A),
        wait(50),
      ],
    },
  },
  {
    name: "a queued set does not replace what another node has removed since",
    fault: "queue-over-others-set",
    plan: {
      config: inBackground,
      steps: [
        get(A),
        wait(50),
        requests(A, "lost"),
        set(A),
        wait(500),
        remove(B),
        wait(50),
        requests(A, "prompt"),
        wait(2_000),
        read(B),
      ],
    },
  },
  {
    name: "a queued set is not fresh after an expire of another node that met no value",
    fault: "queue-after-expire",
    plan: {
      config: inBackground,
      steps: [
        get(A, other),
        get(B, other),
        wait(50),
        requests(A, "lost"),
        set(A),
        wait(500),
        expire(B),
        wait(50),
        requests(A, "prompt"),
        wait(2_000),
        read(B),
      ],
    },
  },
  {
    name: "a value on its way in the background is fresh for maxFreshFor at most",
    fault: "queue-caps-anew",
    plan: {
      config: { ...inBackground, maxFreshFor: 1_000 },
      steps: [
        get(A),
        get(B),
        wait(50),
        requests(A, "lost"),
        set(A),
        ...times(8, () => [wait(400), get(A)]).flat(),
      ],
    },
  },
  {
    name: "room for values on their way comes back, however many sets of one key waited for it",
    fault: "queue-room-lost",
    plan: {
      config: { ...inBackground, latency: 2 },
      steps: [
        get(A),
        wait(50),
        requests(A, "lost"),
        ...times(1_000, (index) => set(A, `key${index}`)),
        ...times(1_001, () => set(A, "late")),
        requests(A, "prompt"),
        wait(4_000),
        set(A, "last"),
      ],
    },
  },
  {
    name: "values that are queued while the arbiter stands still reach it afterwards",
    fault: "queue-emptied",
    plan: {
      config: inBackground,
      steps: [
        get(A),
        wait(50),
        { _tag: "pauseArbiter" },
        set(A),
        wait(2_000),
        { _tag: "resumeArbiter" },
        wait(2_000),
      ],
    },
  },
]
