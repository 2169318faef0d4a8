/** The ioredis client of the peers that use it. */
import { Redis } from "ioredis"
import { ignore } from "./peer.ts"

/** Undefined without a server. */
export const clientOf = (url: string | undefined): Redis | undefined => {
  if (url === undefined) return undefined
  const client = new Redis(url)
  client.on("error", ignore)
  return client
}
