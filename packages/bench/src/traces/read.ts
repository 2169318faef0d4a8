/** Traces from files. */
import { createReadStream } from "node:fs"
import { pipeline } from "node:stream/promises"
import { createGunzip } from "node:zlib"
import { UsageError } from "../command.ts"
import { lines } from "./lines.ts"
import { recorder, type Trace } from "./Trace.ts"

/** One key per line; a name that ends in `.gz` is that of a compressed file. Throws {@link UsageError}. */
export const read = async (file: string): Promise<Trace> => {
  const { add, trace } = recorder<string>()
  const { end, write } = lines(add)
  const take = async (pieces: AsyncIterable<Buffer>): Promise<void> => {
    for await (const piece of pieces) write(piece)
    end()
  }
  try {
    const bytes = createReadStream(file, { highWaterMark: 256 * 1_024 })
    await (file.endsWith(".gz") ? pipeline(bytes, createGunzip(), take) : pipeline(bytes, take))
  } catch (error) {
    throw new UsageError(
      `cannot read the trace ${file}: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
  const read = trace()
  if (read.requests.length === 0) {
    throw new UsageError(`the trace ${file} is empty: give a file with one key per line`)
  }
  return read
}
