/** Sends missed changes to the arbiter: marks first, then keys, for each server separately. */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type { Engine } from "../state/engine.ts"
import type { MissedKey, MissedMark } from "../state/missedChanges.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import { missedKeysAtOnce } from "../runtime/limits.ts"

/** Says whether the arbiter took all changes. A server that does not answer does not delay the others. */
export const sendAll = (engine: Engine, arbiter: FartherTier): Effect.Effect<boolean> =>
  Effect.suspend(() => {
    const { hasMarks, keys } = engine.missed
    const ofPart = Map.groupBy(keys, ([k]) => arbiter.partOf(k))
    const marksPart = arbiter.partOf(undefined)
    if (hasMarks && !ofPart.has(marksPart)) ofPart.set(marksPart, [])
    const parts = Array.from(ofPart, ([part, theirs]) =>
      Effect.gen(function* () {
        const isMarked = part !== marksPart || (yield* sendAllMarks(engine, arbiter))
        return (yield* sendKeys(engine, arbiter, theirs)) && isMarked
      }),
    )
    return Effect.map(
      Effect.all(parts, { concurrency: "unbounded" }),
      (done) => !done.includes(false),
    )
  })

const sendAllMarks = (engine: Engine, arbiter: FartherTier): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const { marks } = engine.missed
    for (const keepStale of [false, true]) {
      const ofKind = marks.filter((mark) => mark.keepStale === keepStale)
      if (ofKind.length === 0) continue
      if (!(yield* sendMarks(engine, arbiter, ofKind, keepStale))) return false
    }
    return true
  })

/**
 * Sends the keys of one server. After a failed replay it sends one key first, so that an attempt
 * costs one step while the server is away. It stops at a group that fails as a whole.
 */
const sendKeys = (
  engine: Engine,
  arbiter: FartherTier,
  keys: ReadonlyArray<readonly [string, MissedKey]>,
): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const { failures } = engine.missed
    const [first, rest] = Arr.splitAt(keys, failures === 0 ? 0 : 1)
    let isWell = true
    for (const chunk of [first, ...Arr.chunksOf(rest, missedKeysAtOnce)]) {
      const sent = yield* Effect.forEach(
        chunk,
        ([k, change]) => sendKey(engine, arbiter, k, change),
        { concurrency: "unbounded" },
      )
      isWell = isWell && !sent.includes(false)
      if (chunk.length > 0 && !sent.includes(true)) break
    }
    return isWell
  })

const sendMarks = (
  engine: Engine,
  arbiter: FartherTier,
  marks: ReadonlyArray<MissedMark>,
  keepStale: boolean,
): Effect.Effect<boolean> => {
  const tags = marks.map(({ tag }) => tag)
  return Effect.map(arbiter.marks.set(tags, keepStale), (number) => {
    if (number === undefined) return false
    for (const mark of marks) engine.missed.heardMark(mark)
    engine.outbox.marked(tags, keepStale, number)
    engine.missed.sent += marks.length
    return true
  })
}

/** Race: another node has changed the key meanwhile. Its change has a higher place, and stays. */
const sendKey = (
  engine: Engine,
  arbiter: FartherTier,
  k: string,
  change: MissedKey,
): Effect.Effect<boolean> =>
  Effect.suspend(() => {
    const { atLeast, madeAt } = change
    const place = madeAt === -Infinity ? 0 : arbiter.time.placeOf(madeAt, "most")
    // Wait until the arbiter's time is known: at too low a place the removal would leave an older value.
    if (place === undefined) return Effect.succeed(false)
    const at = Math.max(atLeast, place)
    return Effect.map(arbiter.writes.write(k, { _tag: "Remove", at }, 0), (written) => {
      if (written === undefined) return false
      engine.missed.heardKey(k, change)
      engine.missed.sent += 1
      // Other nodes may have read the older value here since the message about the change.
      if (typeof written === "object") engine.outbox.changed(k, false, written.version)
      return true
    })
  })
