/** One line about each record. */
import type { Decision, LarderEvent } from "@larder/core"
import { format } from "effect/Formatter"
import type { Answer, Record } from "./record.ts"

/** What a line is about: the colour in a picture. */
export type Kind = "call" | "answer" | "stale" | "failure" | "lookup" | "lease" | "note" | "other"

export interface Line {
  readonly text: string
  readonly kind: Kind
}

/** A value on one line. */
export const short = (value: unknown): string => {
  if (typeof value === "function") return "function"
  return textOf(value).replaceAll(/\s+/g, " ").trim()
}

/** A tagged error often has no message: its members tell what happened. */
const textOf = (value: unknown): string => {
  if (!(value instanceof Error) || value.message !== "") return format(value)
  const { _tag, ...members } = value as Error & { readonly _tag?: unknown }
  return Object.keys(members).length === 0 ? value.name : `${value.name} ${format(members)}`
}

/** Seconds of a timeline, with milliseconds. */
export const seconds = (millis: number): string => `${(millis / 1_000).toFixed(3)} s`

/** The line of a record; undefined for a decision, which failed assertions show by itself. */
export const lineOf = (record: Record): Line | undefined => {
  switch (record._tag) {
    case "Called":
      return { text: `-> ${record.method} ${record.keys.join(", ")}`.trimEnd(), kind: "call" }
    case "Answered":
      return answered(record)
    case "Happened":
      return happened(record.event)
    case "Noted":
      return { text: `# ${record.text}`, kind: "note" }
    case "Decided":
      return undefined
  }
}

const answered = ({
  answers,
  keys,
  method,
  millis,
}: Extract<Record, { readonly _tag: "Answered" }>): Line => {
  const took = after(millis)
  const [only] = answers
  const about = answers.length === 1 && keys.length === 1 ? `${method} ${keys[0]}` : method
  if (answers.length > 1) {
    const served = answers.filter(({ _tag }) => _tag === "Served").length
    return { text: `<- ${method}: ${served} of ${answers.length} values${took}`, kind: "answer" }
  }
  if (only === undefined) return { text: `<- ${about}: nothing${took}`, kind: "answer" }
  return { text: `<- ${about} ${answerText(only)}${took}`.trimEnd(), kind: kindOf(only) }
}

const after = (millis: number): string => (millis > 0 ? ` after ${millis} ms` : "")

const kindOf = (answer: Answer): Kind => {
  if (answer._tag === "Failed") return "failure"
  return answer._tag === "Served" && answer.freshness === "Stale" ? "stale" : "answer"
}

const answerText = (answer: Answer): string => {
  switch (answer._tag) {
    case "Served": {
      const { age, freshness, tier, value } = answer
      const details = [
        ...(freshness === undefined ? [] : [freshness.toLowerCase()]),
        ...(tier === undefined ? [] : [tier]),
        ...(age === undefined || age === 0 ? [] : [`${age} ms old`]),
      ]
      return `= ${short(value)}${details.length > 0 ? ` (${details.join(", ")})` : ""}`
    }
    case "Failed":
      return `${answer.isDefect ? "died" : "failed"}: ${short(answer.error)}`
    case "Changed": {
      const { pending, refused, settled } = answer.ack
      if (refused === true) return "refused"
      return settled ? "settled" : `not settled, pending in ${pending.join(", ") || "no tier"}`
    }
    case "Done":
      return answer.text
    case "Left":
      return "left"
  }
}

type EventOf<Tag extends LarderEvent.LarderEvent["_tag"]> = Extract<
  LarderEvent.LarderEvent,
  { readonly _tag: Tag }
>

const texts: {
  readonly [Tag in LarderEvent.LarderEvent["_tag"]]: (event: EventOf<Tag>) => Line
} = {
  Opened: ({ backplane, larder, tiers }) => {
    const how = tiers.includes(backplane) ? "" : `, backplane ${backplane}`
    return other(`${larder} opened over ${tiers.join(" > ")}${how}`)
  },
  Hit: ({ key, tier }) => other(`hit ${key} in ${tier}`),
  Answered: ({ key, millis, tier }) => other(`answered ${key} from ${tier}${after(millis)}`),
  StaleServed: ({ key, millis, reason }) => ({
    text: `stale ${key} (${reason})${after(millis)}`,
    kind: "stale",
  }),
  Failed: ({ key, millis, reason }) => ({
    text: `${key} failed (${reason})${after(millis)}`,
    kind: "failure",
  }),
  Left: ({ key, millis }) => other(`left ${key}${after(millis)}`),
  Miss: ({ cause, key }) => other(`miss ${key} (${cause})`),
  LookupStarted: ({ background, key }) => ({
    text: `lookup ${key}${background ? " in the background" : ""}`,
    kind: "lookup",
  }),
  LookupSucceeded: ({ key, millis, notModified }) => ({
    text: `lookup ${key} ${notModified ? "not modified" : "succeeded"} after ${millis} ms`,
    kind: "lookup",
  }),
  LookupFailed: ({ defect, key, millis }) => ({
    text: `lookup ${key} ${defect ? "died" : "failed"} after ${millis} ms`,
    kind: "failure",
  }),
  LookupTimedOut: ({ key, millis }) => ({
    text: `lookup ${key} timed out after ${millis} ms`,
    kind: "failure",
  }),
  LookupRefused: ({ key, reason }) => ({
    text: `lookup of ${key} refused (${reason})`,
    kind: "failure",
  }),
  Coalesced: ({ cause, key }) => other(`joins the lookup of ${key} (${cause})`),
  EarlyRefresh: ({ key }) => other(`early refresh of ${key}`),
  LeaseWon: ({ key }) => lease(`lease of ${key} won`),
  LeaseBusy: ({ key, leftMillis }) => lease(`lease of ${key} busy for ${leftMillis} ms`),
  LeaseWaited: ({ key, millis }) => lease(`waited ${millis} ms for the lease of ${key}`),
  LeaseLost: ({ key }) => lease(`lease of ${key} lost`),
  Committed: ({ key }) => other(`stored ${key}`),
  Changed: ({ key, millis, operation, settled, tags = [] }) =>
    other(
      `${[operation, key ?? tags.join(", ")].join(" ").trimEnd()} ${settled ? "settled" : "not settled"}${after(millis)}`,
    ),
  Superseded: ({ key }) => other(`lookup of ${key} superseded`),
  TierFailed: ({ message, operation, reason, tier }) => ({
    text: `${tier} ${operation} ${reason}: ${message}`,
    kind: "failure",
  }),
  TierWarning: ({ message, tier }) => ({ text: `${tier}: ${message}`, kind: "failure" }),
  BreakerChanged: ({ breaker, from, to }) => ({
    text: `breaker ${breaker}: ${from} to ${to}`,
    kind: "failure",
  }),
  Evicted: ({ cause, key, tier }) => other(`${tier} evicted ${key} (${cause})`),
  Undecodable: ({ key, reason, tier }) => ({
    text: `${tier} has undecodable bytes at ${key}: ${reason}`,
    kind: "failure",
  }),
  Recovered: ({ changes, tier }) => other(`${tier} recovered, ${changes} changes`),
  MessageIgnored: ({ reason }) => ({ text: `message ignored: ${reason}`, kind: "failure" }),
  GapDetected: ({ reason }) => ({ text: `gap: ${reason}`, kind: "failure" }),
  StampedeDetected: ({ callers, key, lookups }) => ({
    text: `stampede on ${key}: ${callers} callers, ${lookups} lookups`,
    kind: "failure",
  }),
  AnomalyChanged: ({ kind, raised }) => ({
    text: `anomaly ${kind} ${raised ? "raised" : "cleared"}`,
    kind: raised ? "failure" : "note",
  }),
  Audited: ({ age, key, result }) => ({
    text: `audit of ${key}, ${age} ms old: ${result}`,
    kind: result === "differs" ? "failure" : "other",
  }),
  WritesFlushed: ({ count }) => other(`${count} writes flushed`),
  WriteDead: ({ attempts, key, why }) => ({
    text: `write of ${key} dead after ${attempts} attempts: ${why}`,
    kind: "failure",
  }),
  WriteLagging: ({ oldestMillis }) => ({
    text: `the oldest write waits for ${oldestMillis} ms`,
    kind: "failure",
  }),
  Dropped: ({ count }) => other(`a subscriber lost ${count} events`),
}

const happened = (event: LarderEvent.LarderEvent): Line =>
  (texts[event._tag] as (event: LarderEvent.LarderEvent) => Line)(event)

const other = (text: string): Line => ({ text, kind: "other" })
const lease = (text: string): Line => ({ text, kind: "lease" })

/** A decision and the situation that it was taken in. */
export const decisionText = (situation: Decision.Situation, action: Decision.Action): string => {
  const { trigger, ...rest } = situation
  const known = Object.entries(rest).map(([name, value]) => `${name} ${String(value)}`)
  const { _tag, ...how } = action
  const details = Object.entries(how).map(([name, value]) => `${name} ${String(value)}`)
  return `${trigger} (${known.join(", ")}): ${_tag}${details.length > 0 ? ` (${details.join(", ")})` : ""}`
}
