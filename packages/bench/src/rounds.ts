/** Rounds of one variant, a process each, entrants in turn. */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { RedisServer } from "@larder/testing/RedisServer"
import * as Effect from "effect/Effect"
import type { Case, Entrant, Variant } from "./Case.ts"
import * as redis from "./redis.ts"
import type { Round, Rounds } from "./result.ts"
import type { Message } from "./round.ts"
import { ofTheConnection } from "./trips/sent.ts"

const roundScript = fileURLToPath(new URL("./round.ts", import.meta.url))

/** What takes part in which case, and for how long it takes samples. */
interface Place {
  readonly bench: Case
  readonly variant: Variant
  readonly seconds: number
}

/** How many commands a server was asked for so far; a script's own commands count too. */
const commandsOf = async ({ calls }: RedisServer): Promise<number> =>
  [...(await Effect.runPromise(calls))]
    .filter(([name]) => !ofTheConnection.has(name.split("|")[0]!))
    .reduce((total, [, times]) => total + times, 0)

/** Its figures once it is gone, or how it ended without any. */
const figuresOf = (child: ChildProcess, onSampling: () => Promise<void>): Promise<Round> =>
  new Promise((resolve, reject) => {
    let round: Round | undefined
    child.on("message", (message: Message) => {
      if (message._tag === "Measured") round = message.measured
      else onSampling().then(() => child.send("go on"), reject)
    })
    child.once("error", reject)
    child.once("exit", (code) => {
      if (round === undefined) {
        reject(
          new Error(
            `${child.spawnargs.slice(2).join(" ")}: ended with ${code} before it had figures`,
          ),
        )
      } else resolve(round)
    })
  })

const forked = (
  { bench, seconds, variant }: Place,
  { name }: Entrant,
  env: NodeJS.ProcessEnv,
  onSampling: () => Promise<void>,
): Promise<Round> => {
  const child = fork(roundScript, [bench.name, variant.name, name, String(seconds)], {
    // What a library prints is no part of the figures.
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    env,
  })
  return figuresOf(child, onSampling)
}

/** A server of its own for each round: empty, and shared with nobody. */
const besideRedis = async (place: Place, entrant: Entrant): Promise<Round> => {
  const { environment, server, stop } = await redis.start()
  try {
    let before = 0
    const env = { ...process.env, ...environment }
    const round = await forked(place, entrant, env, async () => {
      before = await commandsOf(server)
    })
    return { ...round, commands: (await commandsOf(server)) - before }
  } finally {
    await stop()
  }
}

const run = (place: Place, entrant: Entrant): Promise<Round> =>
  place.bench.needs === undefined
    ? forked(place, entrant, process.env, async () => {})
    : besideRedis(place, entrant)

/** `onRound` is told of each round before it begins. */
export const runRounds = async (
  place: Place,
  count: number,
  onRound: (entrant: string, round: number) => void,
): Promise<Rounds> => {
  const rounds = new Map<string, Array<Round>>(place.bench.entrants.map(({ name }) => [name, []]))
  for (let round = 1; round <= count; round++) {
    for (const entrant of place.bench.entrants) {
      onRound(entrant.name, round)
      rounds.get(entrant.name)?.push(await run(place, entrant))
    }
  }
  return rounds
}
