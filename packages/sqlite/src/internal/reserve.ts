/**
 * Room reserved on the disk for changes that must fit when other files have filled it: a file
 * beside the cache, removed when the room is needed, and written again once the disk has enough
 * room.
 */
import { rmSync, statSync, writeFileSync } from "node:fs"
import type { Room } from "./diskRoom.ts"
import { reserveBytes, reserveNeedsBytes } from "./limits.ts"

const nameOf = (filename: string): string => `${filename}-reserve`

/** Writes the reserve, if the disk has enough room. */
export const keep = (filename: string, { free }: Room): void => {
  if (filename === ":memory:" || !(free >= reserveNeedsBytes)) return
  const name = nameOf(filename)
  try {
    if (statSync(name, { throwIfNoEntry: false }) === undefined) {
      writeFileSync(name, Buffer.alloc(reserveBytes), { flag: "wx" })
    }
  } catch {
    // Another process has written the file, or this one may not: continue without a reserve.
  }
}

/** Removes the reserve; returns whether there was one. */
export const release = (filename: string): boolean => {
  const name = nameOf(filename)
  try {
    if (statSync(name, { throwIfNoEntry: false })?.size !== reserveBytes) return false
    rmSync(name)
    return true
  } catch {
    return false
  }
}
