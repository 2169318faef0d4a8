/**
 * Logs the outages of a connection, each with its cause and a remedy, but not each short one.
 */
import type { TierLog } from "@larder/core"
import * as Effect from "effect/Effect"
import type { Settings } from "./options.ts"
import { briefOutageMillis, briefOutages } from "../limits.ts"

/** The server answers and refuses: retrying alone does not help. */
const isRefusal = (reason: string): boolean =>
  /WRONGPASS|NOAUTH|NOPERM|\btls\b|password/i.test(reason)

/** The first byte of an alert and of a handshake. */
const tlsRecords: ReadonlySet<string> = new Set(["21", "22"])

/** Each Sentinel was asked in vain; `reason` is the last error. Some answer an unknown name with nothing. */
const ofSentinels = (reason: string | undefined, { place }: Settings): string => {
  if (place._tag === "Sentinel" && (reason === undefined || /No such master/.test(reason))) {
    return `no Sentinel knows the master "${place.name}"; check name`
  }
  const remedy = /WRONGPASS|NOAUTH/.test(reason ?? "")
    ? "; set sentinelUsername and sentinelPassword"
    : ""
  return `no Sentinel answers: ${reason}${remedy}`
}

/** Messages of ioredis and Node name their own options, or no remedy. */
export const worded = ({ message }: Error, settings: Settings): string => {
  const { connectTimeout, tls } = settings
  if (message.startsWith("Socket timeout.") || message === "Command timed out") {
    return "the server does not answer"
  }
  // ioredis' own retries are disabled: `Life` connects again.
  const sentinel = /^All sentinels are unreachable\b.*?(?: Last error: (.*))?$/s.exec(message)
  if (sentinel !== null) return ofSentinels(sentinel[1], settings)
  if (/WRONGPASS|NOAUTH|invalid password/i.test(message)) {
    return `${message}; set username and password to those of the server`
  }
  if (tls !== undefined && message === "connect ETIMEDOUT") {
    return `no TLS answer within ${connectTimeout} ms; if the port does not speak TLS, leave tls out (redis: in place of rediss:)`
  }
  if (tls !== undefined && /wrong version number|packet length too long/i.test(message)) {
    return "the port does not speak TLS; leave tls out (redis: in place of rediss:), or use the port that does"
  }
  const byte = /^Unknown RESP type (\d+)/.exec(message)?.[1]
  if (byte !== undefined) {
    return tls === undefined && tlsRecords.has(byte)
      ? "the port speaks TLS; set tls (rediss: in place of redis:), or use the port that does not"
      : "the answer is not from Redis; check host and port"
  }
  if (/certificate/i.test(message) && !/revoked|expired/i.test(message)) {
    return `${message}; set tls.ca to the certificate of the authority that signed the server's, and tls.servername to the server's name if it differs from the host`
  }
  return message
}

type Run = (effect: Effect.Effect<void>) => void

export class Reports {
  readonly #log: TierLog.TierLog
  readonly #run: Run
  #outage: { reason: string | undefined } | undefined
  #briefly = 0

  constructor(log: TierLog.TierLog, run: Run) {
    this.#log = log
    this.#run = run
  }

  /** The connection is lost; `reason` is undefined until a reconnect attempt fails. */
  down(reason: string | undefined): void {
    const { reason: told } = (this.#outage ??= this.#begin())
    const says = reason ?? told
    if (says === undefined || (told !== undefined && (told === says || !isRefusal(says)))) return
    this.#outage.reason = says
    this.#log.write({ level: "Warn", message: `not connected, retrying: ${says}` })
  }

  up(): void {
    const outage = this.#outage
    this.#outage = undefined
    if (outage === undefined) return
    if (outage.reason !== undefined) {
      return this.#log.write({ level: "Info", message: "connected again" })
    }
    this.#briefly += 1
    if (this.#briefly < briefOutages) return
    this.#briefly = 0
    this.#log.write({
      level: "Warn",
      message: `the connection was lost ${briefOutages} times, each time for less than ${briefOutageMillis} ms; check what closes it: a proxy, the server's timeout or maxclients`,
    })
  }

  #begin(): { reason: string | undefined } {
    const outage: { reason: string | undefined } = { reason: undefined }
    const report = Effect.sync(() => {
      if (this.#outage === outage) this.down(outage.reason ?? "the connection ended")
    })
    this.#run(Effect.andThen(Effect.sleep(briefOutageMillis), report))
    return outage
  }
}
