/** The constant traffic on a node: reads of all kinds, changes of all kinds. */
import * as Effect from "effect/Effect"
import * as keys from "../keys.ts"
import type { Choices } from "@larder/traces/choices"
import type { Session } from "./Session.ts"
import { around, count, through, update, type WriteEnding } from "./writes.ts"

/** The operations that a session may do now. */
export interface Permission {
  marks: boolean
  changes: boolean
  reads: boolean
  /** Whether the changes have ended for good. */
  over: boolean
  readonly clears: boolean
}

const readWeights = {
  getWithMeta: 35,
  get: 15,
  getMany: 8,
  getPrefixed: 10,
  readHot: 10,
  readSet: 20,
  readQuiet: 8,
  refresh: 4,
}

/** The weights without `refresh`, which asks upstream although a fresh value is stored. */
const calmWeights = { ...readWeights, refresh: 0 }

const someKeys = (random: Choices): ReadonlyArray<string> =>
  keys.hot.filter(() => random.chance(0.5)).concat(random.pick(keys.hot))

const demand = (random: Choices, calm: boolean) => {
  if (calm) return {}
  if (random.chance(0.08)) return { stale: "never" } as const
  return random.chance(0.05) ? { maxAge: random.between(50, 1_000) } : {}
}

const reading = (session: Session, random: Choices, calm: boolean): Effect.Effect<void> => {
  const key = random.pick(keys.hot)
  switch (random.weighted(calm ? calmWeights : readWeights)) {
    case "getWithMeta":
      return session.getWithMeta(key, demand(random, calm))
    case "get":
      return session.get(key, demand(random, calm))
    case "getMany":
      return session.getMany([...new Set(someKeys(random))])
    case "getPrefixed":
      return session.getWithMeta(random.pick(keys.prefixed), demand(random, calm))
    case "readHot":
      return session.read(key)
    case "readSet":
      return session.read(random.pick(keys.setOnly))
    case "readQuiet":
      return session.read(random.pick(keys.quiet))
    case "refresh":
      return session.refresh(key)
  }
}

const changeWeights = {
  setOnly: 45,
  set: 12,
  remove: 7,
  removeWhere: 6,
  expire: 7,
  tags: 11,
  clear: 1,
  around: 8,
  through: 8,
  update: 6,
  count: 12,
}

const prefixWeights = { p: 4, h: 1 }

/** How an effect that writes the source ends. */
const endingOf = (random: Choices): WriteEnding =>
  random.chance(0.8) ? "done" : random.pick(["failsBefore", "failsAfter", "dies"])

const changing = (
  session: Session,
  random: Choices,
  permission: Permission,
): Effect.Effect<void> => {
  const key = random.pick(keys.hot)
  const kind = random.weighted(changeWeights)
  switch (kind) {
    case "setOnly":
      return session.set(random.pick(keys.setOnly), random.chance(0.6))
    case "set":
      return session.set(key, random.chance(0.5))
    case "remove":
      return session.remove(key)
    case "removeWhere":
      return session.removeWhere(random.weighted(prefixWeights))
    case "expire":
      return session.expire(key)
    case "around":
      return around(session, key, endingOf(random), random)
    case "through":
      return through(session, key, endingOf(random), random)
    case "update":
      return update(session, key, endingOf(random), random)
    case "count":
      return count(session, random.pick(keys.counted))
    case "tags":
    case "clear": {
      if (!permission.marks) return Effect.void
      if (kind === "clear") return permission.clears ? session.clear : Effect.void
      return session.invalidateTags([random.pick(keys.hotTags)], random.chance(0.2))
    }
  }
}

/** Some callers are interrupted before their call ends. */
const impatient = (random: Choices, call: Effect.Effect<void>): Effect.Effect<void> =>
  random.chance(0.04) ? Effect.asVoid(Effect.timeoutOption(call, random.between(1, 30))) : call

const endlessly = (
  random: Choices,
  pause: readonly [number, number],
  call: () => Effect.Effect<void>,
): Effect.Effect<void> =>
  Effect.forever(
    Effect.andThen(
      Effect.suspend(() => Effect.sleep(random.between(...pause))),
      Effect.suspend(() => impatient(random, call())),
    ),
  )

const readers = 4
const changers = 2

/** Uses the session that is current at each moment. */
export const traffic = (
  current: () => Session,
  permission: Permission,
  randomOf: (part: string) => Choices,
): Effect.Effect<void> => {
  const read = Array.from({ length: readers }, (_, i) => {
    const random = randomOf(`reads ${i}`)
    return endlessly(random, [10, 60], () =>
      permission.reads ? reading(current(), random, permission.over) : Effect.void,
    )
  })
  const change = Array.from({ length: changers }, (_, i) => {
    const random = randomOf(`changes ${i}`)
    return endlessly(random, [40, 160], () =>
      permission.changes && !permission.over
        ? changing(current(), random, permission)
        : Effect.void,
    )
  })
  return Effect.all([...read, ...change], { concurrency: "unbounded", discard: true })
}
