/** What is measured of nodes in processes of their own. */
import { now, sleep } from "../clock.ts"
import type * as Link from "./link.ts"
import type { NodeProcess } from "./processes.ts"

const all = <A>(nodes: ReadonlyArray<NodeProcess>, f: (node: NodeProcess) => Promise<A>) =>
  Promise.all(nodes.map(f))

/** For each change: from its acknowledgement to the last node's first read of it, in ms. */
export const changes = async (
  nodes: ReadonlyArray<NodeProcess>,
  count: number,
): Promise<ReadonlyArray<number>> => {
  const key = "watched"
  await all(nodes, async ({ next, tell }) => {
    const read = next("Read")
    tell({ _tag: "Watch", key })
    await read
  })
  const samples: Array<number> = []
  for (let i = 0; i < count; i++) {
    const value = `change ${i}`
    const seen = all(nodes, ({ next }) => next("Saw", (saw) => saw.value === value))
    const writer = nodes[i % nodes.length]!
    const set = writer.next("Set")
    writer.tell({ _tag: "Set", key, value })
    const [{ at, settled }, saw] = await Promise.all([set, seen])
    if (!settled) throw new Error("a change has not settled")
    samples.push(Math.max(0, ...saw.map((one) => one.at - at)))
    // At a time of its own in the nodes' rounds of reading.
    await sleep(5 + (i % 7))
  }
  for (const { tell } of nodes) tell({ _tag: "Stop" })
  return samples
}

export const callersPerNode = 250

/** For each cold key: the lookups in all nodes, and the number of different answers. */
export const storms = async (nodes: ReadonlyArray<NodeProcess>, count: number) => {
  const seen: Array<{ readonly lookups: number; readonly answers: number }> = []
  for (let i = 0; i < count; i++) {
    const stormed = all(nodes, ({ next }) => next("Stormed"))
    for (const { tell } of nodes) tell({ _tag: "Storm", key: `cold ${i}`, callers: callersPerNode })
    const done = await stormed
    seen.push({
      lookups: done.reduce((sum, { lookups }) => sum + lookups, 0),
      answers: new Set(done.flatMap(({ answers }) => answers)).size,
    })
  }
  return seen
}

const partitionKeys = Array.from({ length: 20 }, (_, i) => `parted ${i}`)

/** The first node is cut off; returns how long after the end of that it has all changes, in ms. */
export const partition = async (
  [cutOff, other]: readonly [NodeProcess, NodeProcess],
  link: Link.Link,
  seconds: number,
): Promise<number> => {
  const setAll = async (value: string) => {
    for (const key of partitionKeys) {
      const set = other.next("Set")
      other.tell({ _tag: "Set", key, value })
      await set
    }
  }
  const agreed = async (value: string): Promise<void> => {
    const agreed = cutOff.next("Agreed")
    cutOff.tell({ _tag: "Agree", keys: partitionKeys, value })
    await agreed
  }
  await setAll("before")
  await agreed("before")
  link.open(false)
  await sleep(seconds * 500)
  await setAll("during")
  await sleep(seconds * 500)
  const healed = now()
  link.open(true)
  await agreed("during")
  return now() - healed
}
