/** Bytes in pieces to numbered lines. */

const lineFeed = 10
const carriageReturn = 13

/** Bytes of a line: a longer one comes in parts, so that a file without any line ends does not fill memory. */
const mostBytes = 1 << 20

export interface Lines {
  readonly write: (bytes: Buffer) => void
  /** The last line may lack its end. */
  readonly end: () => void
}

/**
 * Passes on each line of UTF-8 without its end (a line feed, or carriage return and
 * line feed), with its number from 1; empty lines are left out. A line is a string of
 * its own, so that keeping the line does not keep the piece that it came in.
 */
export const lines = (onLine: (line: string, number: number) => void): Lines => {
  let rest: Buffer = Buffer.alloc(0)
  let number = 1
  const pass = (bytes: Buffer, from: number, to: number): void => {
    const last = to > from && bytes[to - 1] === carriageReturn ? to - 1 : to
    if (last > from) onLine(bytes.toString("utf8", from, last), number)
  }
  return {
    write: (piece) => {
      const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece])
      let from = 0
      for (let to = bytes.indexOf(lineFeed); to >= 0; to = bytes.indexOf(lineFeed, from)) {
        pass(bytes, from, to)
        number++
        from = to + 1
      }
      rest = bytes.subarray(from)
      if (rest.length > mostBytes) {
        pass(rest, 0, rest.length)
        rest = Buffer.alloc(0)
      }
    },
    end: () => {
      pass(rest, 0, rest.length)
      rest = Buffer.alloc(0)
    },
  }
}
