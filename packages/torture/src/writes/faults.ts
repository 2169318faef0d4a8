/** kill -9 and pauses of worker processes and servers, one after the other, until a time. */
import type * as PostgresServer from "@larder/testing/PostgresServer"
import type * as RedisServer from "@larder/testing/RedisServer"
import type { Choices } from "@larder/traces/choices"
import * as Effect from "effect/Effect"
import { now } from "../clock.ts"
import type { Log } from "../history/log.ts"
import type { Worker } from "../run/workers.ts"
import { type Command, lock, type Reply } from "./Config.ts"
import type { FaultKind, WriteLine } from "./Line.ts"

export interface Target {
  readonly worker: Worker<Command, Reply>
  /** The process that runs now. */
  readonly process: () => string
}

export interface World {
  readonly random: Choices
  readonly log: Log<WriteLine>
  readonly targets: ReadonlyArray<Target>
  readonly redis: RedisServer.RedisServer
  readonly postgres: PostgresServer.PostgresServer | undefined
}

interface Fault {
  readonly kind: FaultKind
  readonly target?: Target | undefined
  readonly run: Effect.Effect<unknown, unknown>
}

const rest = ({ random }: World, least: number, most: number) =>
  Effect.suspend(() => Effect.sleep(random.between(least, most)))

const killed = (world: World, target: Target): Fault => ({
  kind: "kill worker",
  target,
  run: Effect.andThen(
    target.worker.kill,
    Effect.andThen(rest(world, 0, 1_000), target.worker.start),
  ),
})

/** Longer than the lock: its writes are taken over, and then it comes back and writes them. */
const paused = (world: World, target: Target): Fault => ({
  kind: "pause worker",
  target,
  run: Effect.acquireUseRelease(
    Effect.sync(() => target.worker.signal("SIGSTOP")),
    () => rest(world, lock, lock * 2),
    () => Effect.sync(() => target.worker.signal("SIGCONT")),
  ),
})

const ofWorkers = (world: World): Fault => {
  const target = world.random.pick(world.targets)
  return world.random.chance(0.7) ? killed(world, target) : paused(world, target)
}

const ofServers = (world: World): Fault => {
  const { postgres, random, redis } = world
  const away = rest(world, 100, 1_500)
  if (postgres !== undefined && random.chance(0.5)) {
    const run = Effect.andThen(postgres.kill, Effect.andThen(away, postgres.restart))
    return { kind: "kill postgres", run }
  }
  const back = redis.restart({ keepData: true })
  return { kind: "kill redis", run: Effect.andThen(redis.kill(), Effect.andThen(away, back)) }
}

const injected = ({ log }: World, { kind, run, target }: Fault) =>
  Effect.gen(function* () {
    const from = now()
    const process = target?.process()
    yield* run
    log.write({ t: "fault", kind, node: target?.worker.name, process, from, to: now() })
  })

const until = (end: number, next: Effect.Effect<unknown, unknown>) =>
  Effect.repeat(next, { while: () => now() < end })

/** Injects faults until `end`; each ends what it began. */
export const inject = (world: World, end: number): Effect.Effect<void, unknown> =>
  Effect.all(
    [
      until(
        end,
        Effect.andThen(
          rest(world, 300, 1_500),
          Effect.suspend(() => injected(world, ofWorkers(world))),
        ),
      ),
      until(
        end,
        Effect.andThen(
          rest(world, 2_000, 8_000),
          Effect.suspend(() => injected(world, ofServers(world))),
        ),
      ),
    ],
    { concurrency: "unbounded", discard: true },
  )
