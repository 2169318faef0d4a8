/** What happens to two prices, one thing after the other, and what each service saw of it. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NodeSqliteClient } from "@larder/sqlite"
import * as RedisServer from "@larder/testing/RedisServer"
import { Clock, Data, Effect, Fiber, Option, Random } from "effect"
import type { Price } from "./price.ts"
import * as PriceTable from "./priceTable.ts"
import * as Processes from "./processes.ts"
import { latest, type Sighting } from "./sighting.ts"
import { hasPython, supply } from "./supplier.ts"
import type { Way } from "./way.ts"

export class NoRedis extends Data.TaggedError("NoRedis")<{}> {
  override get message(): string {
    return "The services share a Redis server: install redis-server or valkey-server, or give the address of one with --url redis://127.0.0.1:6379"
  }
}

/** A reader did not get a change, though it was told of. */
export class NotSeen extends Data.TaggedError("NotSeen")<{
  readonly id: string
  readonly redisUrl: string
}> {
  override get message(): string {
    return `Not every service saw the change of ${this.id} within ${patienceMillis / 1_000} s; does the Redis server at ${this.redisUrl} answer?`
  }
}

export interface Settings {
  readonly way: Way
  /** The Redis server to use; nothing: one of the run's own. */
  readonly url: string | undefined
}

/** Something that happened, and when. */
export interface Step {
  readonly at: number
  readonly what: string
}

export interface Outcome {
  readonly steps: ReadonlyArray<Step>
  readonly sightings: ReadonlyArray<Sighting>
}

export const ownerName = "owner"
export const followerNames = ["search", "basket"] as const
const readers = 1 + followerNames.length
const ids = ["milk", "tea"] as const

/** How often the owner reads the table of changes. A message is faster. */
export const pollMillis = 500

/** How long a clerk's change is held up, whom another one overtakes. */
const heldUpMillis = 600

/** How long readers are watched after they have seen a change: what goes back, goes back by then. */
const afterMillis = 250

/** The most that readers may take to see a change. Nothing expires within it. */
const patienceMillis = 10_000

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "larder-services-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })),
)

const redisUrl = (named: string | undefined) =>
  Effect.gen(function* () {
    if (named !== undefined) return named
    if ((yield* RedisServer.find) === undefined) return yield* new NoRedis()
    return (yield* RedisServer.start()).url
  })

class Observed {
  readonly redisUrl: string
  readonly steps: Array<Step> = []
  readonly sightings: Array<Sighting> = []

  constructor(redisUrl: string) {
    this.redisUrl = redisUrl
  }

  readonly saw = (sighting: Sighting): void => {
    this.sightings.push(sighting)
  }

  readonly step = (what: string): Effect.Effect<void> =>
    Effect.map(Clock.currentTimeMillis, (at) => void this.steps.push({ at, what }))

  /** Waits until every reader has such a price, and a while longer. */
  readonly seen = (id: string, isIt: (price: Price) => boolean) =>
    Effect.gen({ self: this }, function* () {
      const hasSeen = () => {
        const prices = [...latest(this.sightings, id).values()]
        return prices.length === readers && prices.every(Option.exists(isIt))
      }
      const until = (yield* Clock.currentTimeMillis) + patienceMillis
      while (!hasSeen()) {
        if ((yield* Clock.currentTimeMillis) > until) {
          return yield* new NotSeen({ id, redisUrl: this.redisUrl })
        }
        yield* Effect.sleep(10)
      }
      yield* Effect.sleep(afterMillis)
    })
}

const insert = Effect.forEach(
  [
    { id: "milk", cents: 100, version: 1 },
    { id: "tea", cents: 300, version: 1 },
  ],
  PriceTable.save,
  { discard: true },
)

export const run = ({ url, way }: Settings) =>
  Effect.gen(function* () {
    const redis = yield* redisUrl(url)
    const observed = new Observed(redis)
    const { seen, step } = observed
    const database = join(yield* folder, "prices.db")
    const prefix = `larder-services-${yield* Random.nextIntBetween(0, 2 ** 48)}`
    const channel = `${prefix}:changes`
    const shared = { redisUrl: redis, prefix, ids }
    // A program with nothing but the file of the database.
    const inDatabase = Effect.provide(NodeSqliteClient.layer({ filename: database }))

    yield* Effect.andThen(PriceTable.migrate, insert).pipe(inDatabase)
    const begin = { ...shared, who: ownerName, database, channel, way, pollMillis }
    const starting = followerNames.map((who) =>
      Processes.follower({ ...shared, who }, observed.saw),
    )
    const [canSupply, owner, followers] = yield* Effect.all(
      [
        hasPython,
        Processes.owner(begin, observed.saw),
        Effect.all(starting, { concurrency: "unbounded" }),
      ],
      { concurrency: "unbounded" },
    )

    yield* step("Two services follow the prices. Their owner has not looked anything up yet.")
    yield* Effect.sleep(afterMillis)

    const story = Effect.gen(function* () {
      yield* step("The owner opens, and looks up what it sells.")
      yield* owner.open
      yield* seen("milk", () => true)
      yield* seen("tea", () => true)

      yield* step("A clerk asks the owner for milk at 1.10.")
      yield* owner.change({ id: "milk", cents: 110, heldUpMillis: 0 })
      yield* seen("milk", ({ cents }) => cents === 110)

      yield* step("A clerk asks for milk at 1.15, and is held up.")
      const late = yield* Effect.forkChild(owner.change({ id: "milk", cents: 115, heldUpMillis }))
      yield* Effect.sleep(heldUpMillis / 3)
      yield* step("Another clerk asks for milk at 1.25.")
      yield* owner.change({ id: "milk", cents: 125, heldUpMillis: 0 })
      yield* seen("milk", ({ cents }) => cents === 125)
      const answer = yield* Fiber.join(late)
      yield* step(
        answer._tag === "Overtaken"
          ? "The first clerk is told that a newer price was there. It stays."
          : "The first clerk is told that milk is at 1.15.",
      )
      yield* Effect.sleep(afterMillis)

      if (canSupply) {
        const told = yield* supply({ database, channel, redisUrl: redis, id: "tea", cents: 330 })
        observed.steps.push({
          at: told.at,
          what: "A supplier's program, in Python, saves tea at 3.30 in the database and publishes that.",
        })
        yield* seen("tea", ({ cents }) => cents === 330)
      } else {
        yield* step("No python3 with sqlite3: its part is left out. Install Python 3.")
      }

      yield* PriceTable.raiseAll(10).pipe(inDatabase)
      yield* step("A job of the database raises all prices by 10 %, and tells nobody.")
      for (const id of ids) {
        const raised = yield* PriceTable.find(id).pipe(inDatabase)
        yield* seen(id, ({ cents }) => cents === raised?.cents)
      }
    })
    const failed = [owner, ...followers].map(({ failed }) => failed)
    yield* Effect.raceFirst(story, Effect.raceAllFirst(failed))
    const outcome: Outcome = {
      steps: observed.steps,
      sightings: observed.sightings.toSorted((a, b) => a.at - b.at),
    }
    return outcome
  }).pipe(Effect.scoped)
