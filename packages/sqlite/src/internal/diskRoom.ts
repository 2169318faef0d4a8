/**
 * How large a cache may grow on its disk. Its log takes room beside the file, and
 * what is in the log must fit into the file when it is moved there: a log that
 * cannot be moved cannot begin anew, and then nothing can be written any more.
 */
import { statfsSync, statSync } from "node:fs"
import { dirname } from "node:path"

/** Bytes on the disk, free ones and those that the cache has. */
export interface Room {
  readonly free: number
  readonly file: number
  readonly log: number
}

export interface Limits {
  /** Pages that the file may have, in all. */
  readonly pages: number
  /** Pages of the log before they are moved into the file. */
  readonly logPages: number
}

export const pageBytes = 4096
/** A page in the log, with its header. */
const frameBytes = pageBytes + 24
/** The index of the log, and what other processes write meanwhile. */
const slack = 64 * 1024
/** The log's share of the disk: a quarter, and no more than this. */
const mostLog = 2 * 1024 * 1024
/** More free room than this is no reason to think about it. */
const plenty = 64 * 1024 * 1024
/** Pages of the log before they are moved into the file: little at a time, so that no write takes long. */
export const usualLogPages = 128
const mostPages = 4_294_967_294

/** Where there is plenty. */
export const unlimited: Limits = { pages: mostPages, logPages: usualLogPages }

/** The log's room for a change of so many bytes; what it has already counts until it begins anew. */
const logShare = ({ file, free, log }: Room, bytes: number): number =>
  Math.max(Math.min(mostLog, (free + file + log) / 4), bytes + slack, log)

/** Pure: the limits under which a change of so many bytes is made. */
export const limitsOf = (room: Room, bytes: number): Limits => {
  if (room.free > plenty + 2 * bytes) return unlimited
  const share = logShare(room, bytes)
  const pages = Math.floor((room.free + room.file + room.log - share) / pageBytes)
  return {
    pages: Math.max(1, Math.min(mostPages, pages)),
    logPages: Math.max(8, Math.min(usualLogPages, Math.floor(share / 2 / frameBytes))),
  }
}

/** Pure: whether a change may be too large for a disk that has room for others. */
export const isLarge = (bytes: number): boolean => bytes > slack

/** Pure: whether the log can take a large value at all, however many entries go for it. */
export const fitsLog = ({ free, log }: Room, bytes: number): boolean =>
  !isLarge(bytes) || bytes + slack <= free + log

/** Pure: whether so little is free that not even the files beside the database can be made. */
export const isFull = ({ free }: Room): boolean => free < slack

const sizeOf = (filename: string): number =>
  statSync(filename, { throwIfNoEntry: false })?.size ?? 0

/** The room as it is; a file system that does not tell has all that is asked for. */
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
