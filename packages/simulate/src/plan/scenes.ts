/**
 * Scenes that a drawn plan hardly ever plays, since nothing else may happen meanwhile: played first in a plan,
 * before its faults.
 */
import type { Choices } from "@larder/traces/choices"
import { type Config, keyOf, type Plan, type Step, type TransactionWrite } from "./Plan.ts"

type Scene = (random: Choices, config: Config) => ReadonlyArray<Step>

const wait = (millis: number): Step => ({ _tag: "wait", millis })

/** A write that leaves the source as it was meets a value that is in its node for good. */
const idleWrite: Scene = ({ between, chance, pick }, { keys, nodes }) => {
  const node = between(0, nodes - 1)
  const key = keyOf(between(0, keys - 1))
  const get: Step = { _tag: "getWithMeta", node, key }
  const rolledBack = chance(0.4)
  const writing = {
    node,
    key,
    ending: rolledBack ? "done" : "leavesUntouched",
    millis: pick([0, 5, 50]),
    rest: 0,
  } as const
  const write: TransactionWrite = pick([
    { _tag: "around", before: "nothing", require: "sent", ...writing },
    { _tag: "through", ...writing },
  ] as const)
  const played: Step = rolledBack
    ? { _tag: "transaction", node, writes: [write], reads: false, rest: 5, ending: "rollsBack" }
    : write
  return [get, wait(1_200), played, wait(200), get]
}

/** A node updates a value that another node has removed, before it must notice that it has not heard of that. */
const updateUnheard: Scene = ({ between, chance, pick }, { keys, nodes }) => {
  const node = between(0, nodes - 1)
  const key = keyOf(between(0, keys - 1))
  const other = (node + 1) % nodes
  return [
    { _tag: "getWithMeta", node, key },
    wait(350),
    { _tag: "messages", node, condition: "cut" },
    { _tag: pick(["remove", "remove", "expire"]), node: other, key },
    wait(pick([25, 50, 100])),
    { _tag: "update", node, key, isPure: chance(0.5), ending: "done", millis: 0, rest: 0 },
    wait(50),
    { _tag: "messages", node, condition: "prompt" },
  ]
}

/** How many steps a plan begins with that say what upstream is like. */
const beginOf = (steps: ReadonlyArray<Step>): number => {
  const first = steps.findIndex(({ _tag }) => _tag !== "upstream" && _tag !== "publish")
  return first === -1 ? steps.length : first
}

/** In one plan of five. A scene has only faults that the plan may have. */
export const withScene = (
  random: Choices,
  { config, steps }: Plan,
  isAllowed: (fault: "messages") => boolean,
): Plan => {
  if (!random.chance(0.2)) return { config, steps }
  const scene = random.chance(0.5) && isAllowed("messages") ? updateUnheard : idleWrite
  const added = scene(random, config)
  if (steps.length < 4 * added.length) return { config, steps }
  const begin = beginOf(steps)
  const all = [...steps.slice(0, begin), ...added, ...steps.slice(begin)]
  return { config, steps: all.slice(0, steps.length) }
}
