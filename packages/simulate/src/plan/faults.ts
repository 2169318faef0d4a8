/** The kinds of faults, for `--faults`, and how each is drawn: how it begins, and what ends it. */
import type { Choices } from "@larder/traces/choices"
import {
  type FaultStep,
  type FileCondition,
  messageConditions,
  requestConditions,
  type Step,
} from "./Plan.ts"

interface Fault {
  readonly step: FaultStep
  readonly ends?: FaultStep
}

type Draw = (random: Choices, node: number) => Fault

const fileConditions: ReadonlyArray<FileCondition> = [
  "slow",
  "lost",
  "refused",
  "failsAfter",
  "corrupt",
]

const skews = [0, 300_000, -300_000, 1_000, -1_000, 50, -50]

export const faultKinds = {
  messages: ({ pick }, node) => ({
    step: { _tag: "messages", node, condition: pick(messageConditions.slice(1)) },
    ends: { _tag: "messages", node, condition: "prompt" },
  }),
  requests: ({ pick }, node) => ({
    step: { _tag: "requests", node, condition: pick(requestConditions.slice(1)) },
    ends: { _tag: "requests", node, condition: "prompt" },
  }),
  partition: (_, node) => ({ step: { _tag: "partition", node }, ends: { _tag: "heal", node } }),
  file: ({ pick }, node) => ({
    step: { _tag: "file", node, condition: pick(fileConditions) },
    ends: { _tag: "file", node, condition: "prompt" },
  }),
  clock: ({ pick }, node) => ({ step: { _tag: "clock", node, skew: pick(skews) } }),
  drift: ({ pick }, node) => ({
    step: { _tag: "drift", node, rate: pick([0.9996, 1.0004, 1.0002]) },
  }),
  pause: (_, node) => ({ step: { _tag: "pause", node }, ends: { _tag: "resume", node } }),
  restart: (_, node) => ({ step: { _tag: "restart", node } }),
  kill: (_, node) => ({ step: { _tag: "kill", node }, ends: { _tag: "start", node } }),
  pauseArbiter: () => ({ step: { _tag: "pauseArbiter" }, ends: { _tag: "resumeArbiter" } }),
  flush: () => ({ step: { _tag: "flush" } }),
  evict: ({ pick }) => ({ step: { _tag: "evict", share: pick([0.3, 0.7, 1]) } }),
  failover: () => ({ step: { _tag: "replicate" }, ends: { _tag: "failover" } }),
  upstream: ({ pick }) => ({
    step: {
      _tag: "upstream",
      behaviour: pick([
        "answers",
        "answers",
        "notModified",
        "fails",
        "fails",
        "dies",
        "hangs",
        "disobeys",
      ]),
      millis: pick([0, 50, 100, 150, 500]),
    },
    ends: { _tag: "upstream", behaviour: "answers", millis: pick([0, 20, 50, 100]) },
  }),
} satisfies Readonly<Record<string, Draw>> as Readonly<Record<FaultKind, Draw>>

export const faultNames = [
  "messages",
  "requests",
  "partition",
  "file",
  "clock",
  "drift",
  "pause",
  "restart",
  "kill",
  "pauseArbiter",
  "flush",
  "evict",
  "failover",
  "upstream",
] as const

export type FaultKind = (typeof faultNames)[number]

/** Whether a step makes something wrong, rather than well again. */
export const isFault = (step: Step): boolean => {
  switch (step._tag) {
    case "messages":
    case "requests":
    case "file":
      return step.condition !== "prompt"
    case "upstream":
      return step.behaviour !== "answers"
    case "replicate":
      return false
    default:
      return faultTags.has(step._tag)
  }
}

const faultTags: ReadonlySet<string> = new Set(faultNames)
