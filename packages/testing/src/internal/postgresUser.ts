/** The user that runs Postgres, whose programs refuse root. */
import * as fs from "node:fs"

export interface User {
  readonly uid: number
  readonly gid: number
}

/** The user `postgres`, which packages of Postgres make, else `nobody`. */
const names = ["postgres", "nobody"]

const inPasswords = (name: string): User | undefined => {
  const lines = fs.readFileSync("/etc/passwd", "utf8").split("\n")
  const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(":") ?? []
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) }
}

/** Undefined where this process's own user will do. */
export const otherUser = (): User | undefined =>
  process.getuid?.() === 0 ? names.map(inPasswords).find((user) => user !== undefined) : undefined
