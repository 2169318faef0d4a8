/**
 * How large a cache may grow on its disk. The log takes room beside the file, and its content must
 * fit into the file when it is moved there. A log that cannot be moved cannot restart, and then
 * every write fails.
 */
import { statfsSync, statSync } from "node:fs"
import { dirname } from "node:path"
import { logBytes, mostLogPages, plentyBytes, slackBytes } from "./limits.ts"

/** Bytes on the disk: free ones, and those of the cache. */
export interface Room {
  readonly free: number
  readonly file: number
  readonly log: number
}

export interface Limits {
  /** The most pages of the file. */
  readonly pages: number
  /** The pages of the log before they are moved into the file. */
  readonly logPages: number
}

export const pageBytes = 4096
/** The size of a page in the log, with its header. */
const frameBytes = pageBytes + 24
const mostPages = 4_294_967_294

/** The limits of a disk with plenty of room. */
export const unlimited: Limits = { pages: mostPages, logPages: mostLogPages }

/**
 * The log's room for a change of this many bytes; its current content counts until the log
 * restarts.
 */
const logShare = ({ file, free, log }: Room, bytes: number): number =>
  Math.max(Math.min(logBytes, (free + file + log) / 4), bytes + slackBytes, log)

/** Pure: the limits for a change of this many bytes. */
export const limitsOf = (room: Room, bytes: number): Limits => {
  if (room.free > plentyBytes + 2 * bytes) return unlimited
  const share = logShare(room, bytes)
  const pages = Math.floor((room.free + room.file + room.log - share) / pageBytes)
  return {
    pages: Math.max(1, Math.min(mostPages, pages)),
    logPages: Math.max(8, Math.min(mostLogPages, Math.floor(share / 2 / frameBytes))),
  }
}

/** Pure: whether a change may be too large for a disk that still has room for smaller ones. */
export const isLarge = (bytes: number): boolean => bytes > slackBytes

/** Pure: whether the log can take a large value at all, however many entries are evicted. */
export const fitsLog = ({ free, log }: Room, bytes: number): boolean =>
  !isLarge(bytes) || bytes + slackBytes <= free + log

/** Pure: whether the disk lacks room even for the files beside the database. */
export const isFull = ({ free }: Room): boolean => free < slackBytes

const sizeOf = (filename: string): number =>
  statSync(filename, { throwIfNoEntry: false })?.size ?? 0

/** The current room; unlimited on a file system that does not report it. */
export const roomOf = (filename: string): Room => {
  if (filename === ":memory:") return { free: Infinity, file: 0, log: 0 }
  const log = sizeOf(`${filename}-wal`)
  const file = sizeOf(filename)
  try {
    const { bavail, blocks, bsize } = statfsSync(dirname(filename))
    return { free: blocks === 0 ? Infinity : bavail * bsize, file, log }
  } catch {
    return { free: Infinity, file, log }
  }
}
