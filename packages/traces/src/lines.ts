/** Splits chunks of bytes into numbered lines. */

const lineFeed = 10
const carriageReturn = 13

/**
 * The most bytes of a line: a longer one comes in parts, so that a file without line ends does not
 * fill memory.
 */
const mostBytes = 1 << 20

export interface Lines {
  readonly write: (bytes: Buffer) => void
  /** Ends the input; the last line may lack its line end. */
  readonly end: () => void
}

/**
 * Passes on each line of UTF-8 without its end (a line feed, or carriage return and line feed),
 * with its number from 1; skips empty lines. Copies each line into a string of its own, so that
 * keeping the line does not keep its chunk in memory.
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
