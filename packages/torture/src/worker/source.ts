/** Upstream: each lookup makes a new value, and records when it began and ended. */
import { Upstream } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { now } from "../clock.ts"
import type { Log } from "../history/log.ts"
import type { Choices } from "@larder/traces/choices"
import { UpstreamDown, type Value } from "./Value.ts"

export interface Source {
  /** All lookups fail. */
  fails: boolean
}

interface Options {
  readonly source: Source
  readonly session: string
  readonly log: Log
  readonly random: Choices
  readonly nameValue: () => string
  readonly bulk: boolean
}

const paddings = [0, 0, 40, 400, 2_000]

export const upstreamOf = ({ bulk, log, nameValue, random, session, source }: Options) => {
  const begin = (key: string): Value => {
    const id = nameValue()
    log.write({ t: "lookup", session, key, value: id, at: now() })
    return { key, id, padding: "x".repeat(random.pick(paddings)) }
  }
  const end = (value: Value): Exit.Exit<Value, UpstreamDown> => {
    const failed = source.fails || random.chance(0.01)
    log.write({ t: "answered", value: value.id, at: now(), failed })
    return failed ? Exit.fail(new UpstreamDown({ key: value.key })) : Exit.succeed(value)
  }
  const delay = () => (random.chance(0.03) ? random.between(200, 900) : random.between(2, 40))
  const lookup = (key: string) =>
    Effect.suspend(() => {
      const value = begin(key)
      return Effect.flatMap(Effect.sleep(delay()), () => end(value))
    })
  const lookupMany = (keys: ReadonlyArray<string>) =>
    Effect.suspend(() => {
      const values = keys.map(begin)
      return Effect.map(
        Effect.sleep(delay()),
        () => new Map(values.map((value) => [value.key, end(value)] as const)),
      )
    })
  return Upstream.make(bulk ? { lookup, lookupMany } : { lookup })
}
