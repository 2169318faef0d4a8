/**
 * The clocks of a tier's servers: for each a lower bound of how far it is ahead of this process'
 * monotonic time.
 */
import type { Client } from "../../RedisClient.ts"
import { slotOf } from "../keySlot.ts"
import { tagOf } from "../keys.ts"
import { ownerOf } from "../client/masters.ts"

/** A time long ago: Redis refuses a change with this deadline. */
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

  /** The server's time at a moment of monotonic time, rounded down and never too late. */
  timeAt(server: string, moment: number): number {
    const least = this.#least.get(server)
    return least === undefined ? unknown : Math.max(1, Math.floor(moment + least))
  }

  /**
   * The server returned its time, in whole milliseconds, between two moments. A higher bound from
   * an earlier answer stays, since a busy process reads answers late. The new bound replaces it
   * when the answer shows that the server's clock was set back.
   */
  learn(server: string, time: number, sent: number, received: number): void {
    const [least, most] = [time - received, time + 1 - sent]
    const known = this.#least.get(server)
    this.#least.set(server, known === undefined || known > most ? least : Math.max(known, least))
  }

  /** Forgets all bounds. Call it after a reconnect: another server may answer. */
  forget(): void {
    this.#least.clear()
  }
}
