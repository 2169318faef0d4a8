/** A node: traffic on each of its larders, and the commands of the coordinator. */
import * as Effect from "effect/Effect"
import { block, now } from "../clock.ts"
import * as keys from "../keys.ts"
import * as Choices from "@larder/traces/choices"
import type { Command, LarderName, Reply } from "./Config.ts"
import { awaitBreakers, awaitQuiet } from "./quiet.ts"
import type { Session } from "./Session.ts"
import { type Open, open, type World } from "./sessions.ts"
import { atProbe, atReplay, burst, flood } from "./surges.ts"
import { type Permission, traffic } from "./traffic.ts"

interface Current extends Open {
  readonly permission: Permission
}

/** Makes the larders, and returns the command handler. */
export const node = (world: World, reply: (reply: Reply) => void) =>
  Effect.gen(function* () {
    const { config, log, random, source } = world
    const current = new Map<LarderName, Current>()
    const flooded = new Set<string>()
    const fork = Effect.runForkWith(yield* Effect.context<never>())

    const onProbe = (session: Session): void => {
      const permission = current.get(session.name)?.permission
      if (permission === undefined || permission.over) return
      if (!permission.marks && !flooded.has(session.id)) return
      const then = Effect.andThen(
        atProbe(session),
        Effect.sync(() => {
          if (flooded.delete(session.id)) permission.changes = true
        }),
      )
      fork(then)
    }

    const onReturn = (session: Session): void => {
      const permission = current.get(session.name)?.permission
      if (permission === undefined || permission.over) return
      fork(atReplay(session, random.chance(0.5)))
    }
    const reactions = { onProbe, onReturn }

    for (const name of config.larders) {
      const { clears } = config
      const permission = { marks: true, changes: true, reads: true, over: false, clears }
      current.set(name, { ...(yield* open(world, name, reactions)), permission })
      const randomOf = (part: string) =>
        Choices.make(Choices.derived(config.seed, config.node, name, part))
      yield* Effect.forkScoped(traffic(() => current.get(name)!.session, permission, randomOf))
    }
    for (const { session } of current.values()) {
      yield* Effect.forEach(keys.quiet, (key) => session.get(key, {}), { concurrency: 5 })
    }

    const sampleQueue = Effect.suspend(() => {
      const session = current.get("background")?.session
      if (session === undefined) return Effect.void
      return Effect.map(session.larder.stats, ({ queuedWrites: size }) =>
        log.write({ t: "queue", session: session.id, at: now(), size }),
      )
    })
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(sampleQueue, Effect.sleep(100))))

    const each = (f: (current: Current) => Effect.Effect<void>): Effect.Effect<void> =>
      Effect.forEach([...current.values()], f, { concurrency: "unbounded", discard: true })

    const reopen = (name: LarderName): Effect.Effect<void> =>
      Effect.gen(function* () {
        const old = current.get(name)
        if (old === undefined) return
        // Callers keep using the old larder while it closes.
        yield* old.close
        old.session.writePending()
        current.set(name, { ...(yield* open(world, name, reactions)), permission: old.permission })
      })

    const final = (asked: ReadonlyArray<string>): Effect.Effect<void> =>
      each(({ permission, session }) =>
        Effect.gen(function* () {
          permission.reads = false
          session.writePending()
          for (const key of asked) {
            yield* keys.hot.includes(key)
              ? session.getWithMeta(key, {}, true)
              : session.read(key, true)
          }
        }).pipe(Effect.timeoutOption("20 seconds"), Effect.asVoid),
      )

    const floodOne = (target: Current): Effect.Effect<void> =>
      Effect.gen(function* () {
        // Only reads from here, so that the number of missed marks stays the same.
        target.permission.changes = false
        flooded.add(target.session.id)
        yield* flood(target.session)
      })

    const obey = (command: Command): Effect.Effect<void> => {
      switch (command._tag) {
        case "Block":
          return Effect.sync(() => block(command.millis))
        case "Reopen":
          return reopen(command.larder)
        case "Upstream":
          return Effect.sync(() => void (source.fails = command.fails))
        case "Flood": {
          const target = current.get("awaited")
          if (target === undefined) return Effect.void
          return Effect.map(floodOne(target), () => reply({ _tag: "Flooded" }))
        }
        case "AwaitBreakers":
          return Effect.map(
            each(({ session }) => awaitBreakers(session, command.millis)),
            () => reply({ _tag: "Closed" }),
          )
        case "Burst": {
          const session = current.get("background")?.session
          const of = keys.burst(config.node, command.from, command.keys)
          return Effect.map(
            session === undefined ? Effect.void : burst(session, of, command.times),
            () => reply({ _tag: "BurstDone", from: command.from }),
          )
        }
        case "StopMarks":
          return each(({ permission }) => Effect.sync(() => void (permission.marks = false)))
        case "StopChanges":
          return each(({ permission }) => Effect.sync(() => void (permission.over = true)))
        case "AwaitQuiet":
          return Effect.map(
            each(({ session }) => awaitQuiet(session, log, command.millis)),
            () => reply({ _tag: "Quiet" }),
          )
        case "Final":
          return Effect.map(final(command.keys), () => reply({ _tag: "Done" }))
      }
    }
    const operations = (): number =>
      [...current.values()].reduce((sum, { session }) => sum + session.operations, 0)
    return { obey, operations }
  })
