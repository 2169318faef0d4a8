/**
 * What a tier knows of the clocks of its servers: how far each is ahead, at least, of the
 * time of this process that never steps back.
 */
import type { Client } from "../../RedisClient.ts"
import { slotOf } from "../keySlot.ts"
import { tagOf } from "../keys.ts"
import { ownerOf } from "../client/masters.ts"

/** Long ago: what must be done before it is refused. */
export const unknown = 0

export class Clocks {
  readonly #client: Client["client"]
  readonly #least = new Map<string, number>()

  constructor({ client }: Client) {
    this.#client = client
  }

  /** The server that has these keys, which are in one slot. */
  serverOf([key = ""]: ReadonlyArray<string>): string {
    return "slots" in this.#client ? ownerOf(this.#client, slotOf(tagOf(key))) : ""
  }

  /** The server's time at a moment of monotonic time, whole, and not later. */
  timeAt(server: string, moment: number): number {
    const least = this.#least.get(server)
    return least === undefined ? unknown : Math.max(1, Math.floor(moment + least))
  }

  /**
   * The server told its time, in whole milliseconds, between two moments. What was learned from an
   * earlier answer stays where it says more, since a process that is busy reads answers late; not
   * where this answer shows that the clock was set back.
   */
  learn(server: string, time: number, sent: number, received: number): void {
    const [least, most] = [time - received, time + 1 - sent]
    const known = this.#least.get(server)
    this.#least.set(server, known === undefined || known > most ? least : Math.max(known, least))
  }

  /** A connection is new: behind it may be another server than before. */
  forget(): void {
    this.#least.clear()
  }
}
