/** Bytes in pieces to lines. */

const lineFeed = 10
const carriageReturn = 13

export interface Lines {
  readonly write: (bytes: Buffer) => void
  /** The last line may lack its end. */
  readonly end: () => void
}

/**
 * Gives each line of UTF-8 without its end (a line feed, or carriage return and
 * line feed); empty lines are left out. A line is a string of its own, so that a
 * line which is kept does not keep the piece it came in.
 */
export const lines = (onLine: (line: string) => void): Lines => {
  let rest: Buffer = Buffer.alloc(0)
  const give = (bytes: Buffer, from: number, to: number): void => {
    const last = to > from && bytes[to - 1] === carriageReturn ? to - 1 : to
    if (last > from) onLine(bytes.toString("utf8", from, last))
  }
  return {
    write: (piece) => {
      const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece])
      let from = 0
      for (let to = bytes.indexOf(lineFeed); to >= 0; to = bytes.indexOf(lineFeed, from)) {
        give(bytes, from, to)
        from = to + 1
      }
      rest = bytes.subarray(from)
    },
    end: () => {
      give(rest, 0, rest.length)
      rest = Buffer.alloc(0)
    },
  }
}
