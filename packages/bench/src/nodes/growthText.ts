/** The figures of growth as a table. */
import { aligned } from "../table.ts"
import type { ReadCost, Readers, WriteCost } from "./traffic.ts"

type Rates = ReadonlyMap<string, number>

/** The figures of one number of nodes; those over Redis are missing where none was measured. */
export interface Growth {
  readonly nodes: number
  /** For each key and period of freshness. */
  readonly lookups: number
  readonly write?: WriteCost | undefined
  /** Commands a second of each node, by name: with one larder, and with five. */
  readonly idle?: Rates | undefined
  readonly idleOfFive?: Rates | undefined
}

const sumOf = (rates: Rates): number => [...rates.values()].reduce((sum, rate) => sum + rate, 0)

const shown = (value: number | undefined, decimals: number): string =>
  value === undefined ? "-" : value.toFixed(decimals)

/** What a write costs more with each further node, by the smallest and the largest number measured. */
const perFurtherNode = (rows: ReadonlyArray<Growth>): ReadonlyArray<string> => {
  const measured = rows.flatMap(({ nodes, write }) =>
    write === undefined ? [] : [{ nodes, ...write }],
  )
  const [first, last] = [measured[0], measured.at(-1)]
  if (first === undefined || last === undefined || last.nodes === first.nodes) return []
  const each = (of: (cost: WriteCost) => number, decimals: number): string =>
    ((of(last) - of(first)) / (last.nodes - first.nodes)).toFixed(decimals)
  return [
    `each further node costs ${each(({ bytes }) => bytes, 0)} bytes a write, ${each(({ serverMicros }) => serverMicros, 1)} us of the server's processor and ${each(({ nodesMicros }) => nodesMicros, 0)} us of its own`,
  ]
}

const heads = [
  "nodes",
  "lookups",
  "published",
  "deliveries",
  "bytes",
  "idle, 1 larder",
  "idle, 5 larders",
]

const row = ({ idle, idleOfFive, lookups, nodes, write }: Growth): ReadonlyArray<string> => [
  String(nodes),
  shown(lookups, 2),
  shown(write?.published, 2),
  write === undefined ? "-" : shown(write.published * nodes, 0),
  shown(write?.bytes, 0),
  shown(idle && sumOf(idle), 2),
  shown(idleOfFive && sumOf(idleOfFive), 2),
]

/** The commands of idle nodes, by name, at the largest number of nodes that was measured. */
const byName = (rows: ReadonlyArray<Growth>): ReadonlyArray<string> => {
  const last = rows.findLast(({ idleOfFive }) => idleOfFive !== undefined)
  if (last?.idleOfFive === undefined) return []
  const parts = [...last.idleOfFive]
    .toSorted(([, one], [, other]) => other - one)
    .map(([name, rate]) => `${name} ${rate.toFixed(2)}`)
  return [`of ${last.nodes} idle nodes with 5 larders: ${parts.join(", ") || "no commands"}`]
}

const legend = `lookups     per key and period of freshness, all nodes asking for all keys at once
published   messages for a set; deliveries: to all nodes; bytes: that the server sends for it, the reply included
idle        commands a second of each node, those of scripts included`

export const growthText = (rows: ReadonlyArray<Growth>): string =>
  [
    ...aligned([heads, ...rows.map(row)], 0),
    "",
    legend,
    ...perFurtherNode(rows),
    ...byName(rows),
  ].join("\n")

/** A change and the reads after it, with values that travel with the message and without. */
export interface Pushed extends Omit<Readers, "isPushed"> {
  readonly plain: ReadCost
  readonly pushed: ReadCost
}

const pushedHeads = ["nodes", "bytes", "readers", "", "reads", "sent", "server", "nodes'"]

const pushedRow = (
  { nodes, readers, size }: Pushed,
  name: string,
  { bytes, nodesMicros, reads, serverMicros }: ReadCost,
): ReadonlyArray<string> => [
  String(nodes),
  String(size),
  String(readers),
  name,
  shown(reads, 1),
  shown(bytes, 0),
  shown(serverMicros, 0),
  shown(nodesMicros, 0),
]

const pushedLegend = `bytes, readers  the size of the value, and how many other nodes read it after each change; all nodes have the key
reads, sent     reads of the value that the server answered for a change, and bytes that it sent in all
server, nodes'  processor time for a change, microseconds, of the server and of all nodes together`

export const pushedText = (rows: ReadonlyArray<Pushed>): string =>
  [
    ...aligned(
      [
        pushedHeads,
        ...rows.flatMap((one) => [
          pushedRow(one, "plain", one.plain),
          pushedRow(one, "push", one.pushed),
        ]),
      ],
      0,
    ),
    "",
    pushedLegend,
  ].join("\n")
