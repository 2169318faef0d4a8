/**
 * Decides from numbered heartbeats whether messages still reach a subscriber. The sender sends one
 * heartbeat per period and counts them; the subscriber reports the numbers that arrive.
 */
import { silentFrom } from "../../Heartbeat.ts"

/** The heartbeats of one subscription. */
export interface Pulse {
  /** The number of the last heartbeat that was sent; 0 before the first one. */
  readonly sent: number
  /** The highest number that has arrived. The begin of the subscription counts as number 0. */
  readonly arrived: number
}

export const begun: Pulse = { sent: 0, arrived: 0 }

/** One more heartbeat is sent. */
export const beat = ({ arrived, sent }: Pulse): Pulse => ({ sent: sent + 1, arrived })

/** A heartbeat has arrived: late, twice and in any order too. */
export const hear = ({ arrived, sent }: Pulse, number: number): Pulse => ({
  sent,
  arrived: Math.max(arrived, number),
})

/**
 * Whether no heartbeat of the last three periods has arrived. Counted from the moment at which a
 * heartbeat was sent, not at which it arrived, so that a lost message is noticed three periods after
 * it was published, however slow the network is.
 */
export const isSilent = ({ arrived, sent }: Pulse): boolean => sent >= silentFrom(arrived, 1)
