/**
 * Whether messages of one server reach this node. The node publishes a beat at intervals to a channel
 * of its own, with the time of sending, and hears it on the connection of its other channels. One
 * connection keeps the order: a beat that arrives proves that all messages from before it have arrived.
 *
 * All times are in ms of monotonic time.
 */
import { Heartbeat, type Tier } from "@larder/core"
import { format } from "../scripts/tell.ts"

export interface Hearing {
  readonly isSubscribed: boolean
  /** The messages from before this moment have arrived, or were missed in a gap already reported. */
  readonly provenAt: number
  /** The reason of the gap that goes on. */
  readonly gap: Tier.GapReason | undefined
}

/** A gap begins or is over. */
export interface Report {
  readonly reason: Tier.GapReason
  readonly isOver: boolean
}

export interface Step {
  readonly hearing: Hearing
  readonly reports: ReadonlyArray<Report>
}

/** Before the first subscription. */
export const unheard: Hearing = { isSubscribed: false, provenAt: -Infinity, gap: undefined }

/** The node cannot subscribe, or is not subscribed any more. */
export const lost = ({ gap, provenAt }: Hearing): Step => ({
  hearing: { isSubscribed: false, provenAt, gap: gap ?? "disconnected" },
  reports: gap === undefined ? [{ reason: "disconnected", isOver: false }] : [],
})

/** After a silence, a new subscription proves nothing until a beat arrives. */
export const subscribed = ({ gap }: Hearing, now: number): Step => {
  const isOver = gap === "disconnected"
  return {
    hearing: { isSubscribed: true, provenAt: now, gap: isOver ? undefined : gap },
    reports: isOver ? [{ reason: "disconnected", isOver }] : [],
  }
}

/** A beat has arrived. The one that ends a silence was sent during it or after it: not long before now. */
export const beat = (hearing: Hearing, sentAt: number, now: number, interval: number): Step => {
  const before = checked(hearing, now, interval)
  const provenAt = Math.max(hearing.provenAt, sentAt)
  const isOver = before.hearing.gap === "silence" && !isSilent(provenAt, now, interval)
  return {
    hearing: { ...before.hearing, provenAt, gap: isOver ? undefined : before.hearing.gap },
    reports: isOver ? [...before.reports, { reason: "silence", isOver }] : before.reports,
  }
}

/** To be called at intervals: a process that was busy for too long finds a silence as well. */
export const checked = (hearing: Hearing, now: number, interval: number): Step =>
  hearing.gap === undefined && hearing.isSubscribed && isSilent(hearing.provenAt, now, interval)
    ? { hearing: { ...hearing, gap: "silence" }, reports: [{ reason: "silence", isOver: false }] }
    : { hearing, reports: [] }

/** Whether the connection has proved nothing for too long. */
export const isDeaf = (hearing: Hearing, now: number, interval: number): boolean =>
  hearing.isSubscribed && isSilent(hearing.provenAt, now, interval)

const isSilent = (provenAt: number, now: number, interval: number): boolean =>
  now >= Heartbeat.silentFrom(provenAt, interval)

/** The text of a beat. */
export const toText = (sentAt: number): string => `${format}b${sentAt}`

const beatText = /^\d+b(\d+(?:\.\d+)?)$/

/** When a beat was sent; `undefined` for a text that is none. */
export const sentAtOf = (text: string): number | undefined => {
  const at = beatText.exec(text)?.[1]
  return at === undefined ? undefined : Number(at)
}
