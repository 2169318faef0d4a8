/** What happened, in lanes: one column per node, one line per moment. */
import { shownNode } from "../check/Violation.ts"
import type {
  Answer,
  Call,
  History,
  LeaseCall,
  Lookup,
  Moment,
  Received,
  Run,
  Tenure,
} from "../history/History.ts"
import type { Step } from "../plan/Plan.ts"

interface Event {
  readonly at: Moment
  /** Undefined for what concerns all nodes. */
  readonly node: number | undefined
  readonly key: string | undefined
  readonly text: string
}

const shownAnswer = (answer: Answer): string => {
  switch (answer._tag) {
    case "Value":
      return `${answer.value}${answer.freshness === undefined ? "" : ` ${answer.freshness}`}${answer.tier === undefined ? "" : ` (${answer.tier})`}`
    case "Nothing":
      return "nothing"
    case "Failed":
      return answer.lookup === undefined ? "timeout" : `error ${answer.lookup}`
    case "Closed":
      return "closed"
    case "Other":
      return answer.text.split("\n")[0]!
  }
}

const nameOf = (call: Call): string => {
  const what = call._tag === "Read" ? call.keys.join(" ") : (call.key ?? call.tags.join(" "))
  const value = call._tag === "Change" && call.value !== undefined ? ` = ${call.value}` : ""
  const options =
    call._tag === "Read"
      ? `${call.check ? " check" : ""}${call.maxAge === undefined ? "" : ` maxAge ${call.maxAge}`}`
      : call.keepStale || !["invalidateTags", "clear"].includes(call.op)
        ? ""
        : " drop"
  return `${call.op} ${what}${value}${options}`
}

const endOf = (call: Call): string => {
  if (call._tag === "Read") return call.answers.map(shownAnswer).join(", ")
  if (call.failure !== undefined) return call.failure.split("\n")[0]!
  if (call.isIdle) return "nothing"
  return `${call.isDone || call.writes.length === 0 ? "" : "failed, "}${call.settled ? "settled" : "unsettled"} v${call.version}`
}

const ofCall = (call: Call): ReadonlyArray<Event> => {
  const { node } = call.life
  const key = call._tag === "Read" ? (call.keys.length === 1 ? call.keys[0] : undefined) : call.key
  const begin: Event = { at: call.begin, node, key, text: nameOf(call) }
  const { end, left } = call
  return [
    begin,
    ...(left === undefined ? [] : [{ at: left, node, key, text: `leaves: ${nameOf(call)}` }]),
    ...(end === undefined ? [] : [{ at: end, node, key, text: `${call.op} -> ${endOf(call)}` }]),
  ]
}

const ofWrites = (call: Call): ReadonlyArray<Event> =>
  call._tag === "Read"
    ? []
    : call.writes.map((at) => ({
        at,
        node: call.life.node,
        key: call.key,
        text: `${call.op} writes the source`,
      }))

const ofRun = ({ at, call, key, made, seen }: Run): Event => ({
  at,
  node: call.life.node,
  key,
  text: `${call.op} sees ${seen ?? "nothing"}, makes ${made ?? "nothing"}`,
})

const ofLookup = ({ begin, behaviour, end, key, life, number, outcome, value }: Lookup) => {
  const { node } = life
  const how = behaviour === "answers" ? "" : ` (${behaviour})`
  const began: Event = { at: begin, node, key, text: `lookup ${number}${how}` }
  const text = `lookup ${number} ${outcome}${value === undefined ? "" : ` ${value}`}`
  return end === undefined ? [began] : [began, { at: end, node, key, text }]
}

const ofLease = ({ begin, end, lease, life, name, outcome }: LeaseCall): ReadonlyArray<Event> => {
  const { node } = life
  const began: Event = { at: begin, node, key: name, text: `asks for ${name}, ${lease} ms` }
  if (end === undefined) return [began]
  return [began, { at: end, node, key: name, text: `${name} -> ${outcome}` }]
}

const ofTenure = ({ call, from, to, token }: Tenure): ReadonlyArray<Event> => {
  const { life, name } = call
  const event = { node: life.node, key: name }
  const began: Event = { ...event, at: from, text: `holds ${name}, token ${token}` }
  return to === undefined ? [began] : [began, { ...event, at: to, text: `ends work of ${name}` }]
}

const shownMessage = (message: Received): string => {
  switch (message._tag) {
    case "Changed":
      return `hears v${message.version}`
    case "Marked":
      return `hears mark ${message.numbers.join(" ")}`
    case "Gap":
      return message.isOver ? "gap over" : "gap"
  }
}

const shownStep = (step: Step): string =>
  Object.entries(step)
    .filter(([name]) => name !== "node")
    .map(([, value]) => (Array.isArray(value) ? value.join(" ") : String(value)))
    .join(" ")

const isFault = ({ _tag }: Step): boolean =>
  ![
    "wait",
    "get",
    "getWithMeta",
    "getMany",
    "read",
    "refresh",
    "set",
    "expire",
    "remove",
    "invalidateTags",
    "clear",
    "around",
    "through",
    "update",
    "setIfPresent",
    "count",
    "lease",
    "transaction",
    "interrupt",
    "publish",
  ].includes(_tag)

const eventsOf = (history: History): ReadonlyArray<Event> => {
  const { nodes } = history.config
  const deliveries = history.deliveries.map(({ at, life, message }) => ({
    at,
    node: life.node,
    key: message._tag === "Changed" ? message.key : undefined,
    text: shownMessage(message),
  }))
  const lives = history.lives.flatMap(({ closed, closing, killed, node, opened }) =>
    (
      [
        [opened, "opened"],
        [closing, "closing"],
        [closed, "closed"],
        [killed, "killed"],
      ] as const
    ).flatMap(([at, text]) => (at === undefined ? [] : [{ at, node, key: undefined, text }])),
  )
  const steps = history.steps.flatMap(({ at, step }) =>
    isFault(step)
      ? [
          {
            at,
            node: "node" in step ? step.node % nodes : undefined,
            key: undefined,
            text: `! ${shownStep(step)}`,
          },
        ]
      : [],
  )
  return [
    ...history.calls.flatMap(ofCall),
    ...history.calls.flatMap(ofWrites),
    ...history.runs.map(ofRun),
    ...history.leases.flatMap(ofLease),
    ...history.tenures.flatMap(ofTenure),
    ...history.lookups.flatMap(ofLookup),
    ...deliveries,
    ...lives,
    ...steps,
    { at: history.healed, node: undefined, key: undefined, text: "all is healed" },
    { at: history.quiet, node: undefined, key: undefined, text: "at rest" },
  ].toSorted((one, other) => one.at.order - other.at.order)
}

/** The widest column. */
const width = 34

export interface Shown {
  /** Only what concerns this key, and what concerns all. */
  readonly key?: string | undefined
  readonly until?: number | undefined
  /** The last lines. */
  readonly lines?: number | undefined
}

export const lanes = (
  history: History,
  { key, lines = 60, until = Infinity }: Shown = {},
): string => {
  const { nodes } = history.config
  const events = eventsOf(history)
    .filter((event) => event.at.at <= until)
    .filter((event) => key === undefined || event.key === undefined || event.key === key)
    .slice(-lines)
  const head = ["ms", ...Array.from({ length: nodes }, (_, node) => shownNode(node))]
  const rows = events.map(({ at, node, text }) => {
    const time = at.at.toFixed(at.at % 1 === 0 ? 0 : 2)
    if (node === undefined) return [time, text]
    return [time, ...Array.from({ length: node }, () => ""), text]
  })
  return [head, ...rows]
    .map((cells) =>
      cells
        .map((cell, place) => (place === 0 ? cell.padStart(9) : cell.padEnd(width)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n")
}
