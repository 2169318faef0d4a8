/**
 * Room kept on the disk for changes that must fit when others have filled it: a
 * file beside the cache, given up when it is needed, and made again once there
 * is room for it.
 */
import { rmSync, statSync, writeFileSync } from "node:fs"
import type { Room } from "./diskRoom.ts"

/** As much as the log holds before it is moved, and the files beside the database. */
const bytes = 1024 * 1024
/** A disk with less free room has better uses for it. */
const enough = 8 * bytes

const nameOf = (filename: string): string => `${filename}-reserve`

/** Keeps the room, if there is enough. */
export const keep = (filename: string, { free }: Room): void => {
  if (filename === ":memory:" || !(free >= enough)) return
  const name = nameOf(filename)
  try {
    if (statSync(name, { throwIfNoEntry: false }) === undefined) {
      writeFileSync(name, Buffer.alloc(bytes), { flag: "wx" })
    }
  } catch {
    // Another process has made it, or this one may not: then there is none.
  }
}

/** Gives the room up; says whether there was any. */
export const release = (filename: string): boolean => {
  const name = nameOf(filename)
  try {
    if (statSync(name, { throwIfNoEntry: false })?.size !== bytes) return false
    rmSync(name)
    return true
  } catch {
    return false
  }
}
