/** Rounds of one variant, a process each, entrants in turn. */
import type { Case, Variant } from "./cases.ts"
import { figuresOf } from "./child.ts"
import * as redis from "./redis.ts"
import type { Rounds } from "./result.ts"

const script = new URL("./round.ts", import.meta.url)

/** Which entrant runs in which case, and how long it takes samples. */
interface Place {
  readonly bench: Case
  readonly variant: Variant
  readonly seconds: number
}

type Samples = ReadonlyArray<number>

/** Starts an empty server for this round alone, if the case needs one. */
const run = async ({ bench, seconds, variant }: Place, entrant: string): Promise<Samples> => {
  const args = [bench.name, variant.name, entrant, String(seconds)]
  if (bench.needs === undefined) return figuresOf<Samples>(script, args)
  const { environment, stop } = await redis.start()
  try {
    return await figuresOf<Samples>(script, args, { env: environment })
  } finally {
    await stop()
  }
}

/** Reports progress on standard error. */
export const runRounds = async (place: Place, count: number): Promise<Rounds> => {
  const { bench, variant } = place
  const rounds = new Map<string, Array<Samples>>(bench.entrants.map(({ name }) => [name, []]))
  for (let round = 1; round <= count; round++) {
    for (const [name, samples] of rounds) {
      process.stderr.write(`${bench.name} ${variant.name}, round ${round} of ${count}: ${name}\n`)
      samples.push(await run(place, name))
    }
  }
  return rounds
}
