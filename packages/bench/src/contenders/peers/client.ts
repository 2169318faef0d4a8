/** The client of the peers that talk to Redis by ioredis. */
import { Redis } from "ioredis"
import { ignore } from "./peer.ts"

/** Undefined where there is no server. */
export const clientOf = (url: string | undefined): Redis | undefined => {
  if (url === undefined) return undefined
  const client = new Redis(url)
  client.on("error", ignore)
  return client
}
