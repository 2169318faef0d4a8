/** One larder of this process, from when it is made to when it closes; records every call. */
import { Freshness, type Larder, Policy } from "@larder/core"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { now } from "../clock.ts"
import type * as L from "../history/Line.ts"
import type { Log } from "../history/log.ts"
import type { LarderName, PolicyTimes } from "./Config.ts"
import type { UpstreamDown, Value } from "./Value.ts"
import { heardOf, type Told, type Written } from "./writing.ts"

export type Node = Larder.Larder<string, Value, UpstreamDown>

type What = Omit<L.ChangeLine, "t" | "session" | "id" | "at">

type Acknowledged = Pick<Larder.Ack, "pending" | "settled"> & { readonly version?: number }

interface Call {
  readonly op: string
  readonly key: string | undefined
  readonly background: boolean
  readonly begin: number
}

/** The recorded result of a read. */
type Given = Pick<L.ReadLine, "value" | "freshness" | "tier" | "error" | "defect">

const freshnessName = (freshness: Freshness.Freshness): L.Freshness =>
  Freshness.match(freshness, {
    onFresh: () => "fresh" as const,
    onStale: (grace) => grace,
    onMissing: () => "missing" as const,
  })

const failure = (cause: Cause.Cause<unknown>): Given | undefined => {
  const [first] = cause.reasons
  if (first === undefined || first._tag === "Interrupt") return undefined
  return first._tag === "Fail"
    ? { error: tagOf(first.error) }
    : { error: tagOf(first.defect), defect: true }
}

const tagOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "_tag" in error
    ? String(error._tag)
    : String(error instanceof Error ? error.stack : error)

/** Names of values and calls are unique among all processes and rounds. */
const namer = (of: string): (() => string) => {
  let count = 0
  return () => `${of}-${(count += 1)}`
}

export const policyOf = (times: PolicyTimes, tierWrites: Policy.TierWrites): Policy.Policy =>
  Policy.make({ ...times, retryAfterFailure: 300, tierWrites })

export class Session {
  readonly larder: Node
  readonly name: LarderName
  readonly id: string
  readonly nameValue: () => string
  operations = 0
  /** The keys, and `#mark`, with changes that Redis missed, and when the larder reported that. */
  readonly owes = new Map<string, number>()
  readonly #missedTags = new Set<string>()
  readonly #log: Log
  readonly #awaited: Policy.Policy
  readonly #nameChange: () => string
  readonly #running = new Map<string, Call>()

  constructor(options: {
    readonly larder: Node
    readonly name: LarderName
    readonly id: string
    readonly log: Log
    readonly times: PolicyTimes
    readonly nameValue: () => string
  }) {
    this.larder = options.larder
    this.name = options.name
    this.id = options.id
    this.nameValue = options.nameValue
    this.#log = options.log
    this.#awaited = policyOf(options.times, "awaited")
    this.#nameChange = namer(`${options.id}!`)
  }

  get(key: string, options: Larder.GetOptions, final = false) {
    return this.#read("get", key, this.larder.get(key, options), options, final, ({ id }) => ({
      value: id,
    }))
  }

  getWithMeta(key: string, options: Larder.GetOptions, final = false) {
    return this.#read(
      "getWithMeta",
      key,
      this.larder.getWithMeta(key, options),
      options,
      final,
      ({ freshness, tier, value }) => ({
        value: value.id,
        freshness: freshnessName(freshness),
        tier,
      }),
    )
  }

  refresh(key: string) {
    return this.#read("refresh", key, this.larder.refresh(key), {}, false, ({ id }) => ({
      value: id,
    }))
  }

  read(key: string, final = false, failedBy?: Effect.Effect<boolean>) {
    const effect = this.larder.read(key)
    return this.#read(
      "read",
      key,
      effect,
      {},
      final,
      ({ entry, freshness, tier }) => ({
        value: entry?.value.id,
        freshness: freshnessName(freshness),
        tier,
      }),
      failedBy,
    )
  }

  getMany(keys: ReadonlyArray<string>) {
    return this.#called("getMany", keys[0], false, (begin) =>
      Effect.map(Effect.exit(this.larder.getMany(keys)), (exit) => {
        const end = now()
        const line = (key: string, given: Given) =>
          this.#log.write({ t: "read", session: this.id, op: "getMany", key, begin, end, ...given })
        if (Exit.isFailure(exit)) {
          const given = failure(exit.cause)
          if (given !== undefined) line(keys[0] ?? "", given)
          return
        }
        for (const [key, one] of exit.value) {
          const given = Exit.isSuccess(one) ? { value: one.value.id } : failure(one.cause)
          if (given !== undefined) line(key, given)
        }
      }),
    )
  }

  /** `awaited`: waits for farther tiers, whatever the larder's policy. */
  set(key: string, awaited: boolean) {
    const value = this.nameValue()
    const background = this.name === "background" && !awaited
    const options = background ? {} : { policy: this.#awaited }
    return this.#change(
      { op: "set", key, value, background },
      this.larder.set(key, { key, id: value, padding: "" }, options),
    )
  }

  remove(key: string) {
    return this.#change({ op: "remove", key }, this.larder.remove(key))
  }

  /** Which keys Redis may have missed is not known, and no earlier change is known to have arrived. */
  removeWhere(prefix: string) {
    const what = { op: "removeWhere", prefix } as const
    return this.#recorded(what, this.larder.removeWhere({ prefix }), () => {})
  }

  expire(key: string) {
    return this.#change({ op: "expire", key }, this.larder.expire(key))
  }

  invalidateTags(tags: ReadonlyArray<string>, drops: boolean) {
    return this.#change(
      { op: "tags", tags, drops },
      this.larder.invalidateTags(tags, { keepStale: !drops }),
    )
  }

  get clear() {
    return this.#change({ op: "clear", drops: false }, this.larder.clear())
  }

  /** Records the calls that have not ended. */
  writePending(): void {
    const at = now()
    for (const { background, begin, key, op } of this.#running.values()) {
      this.#log.write({ t: "pending", session: this.id, op, key, background, begin, at })
    }
  }

  /** Invalidating a tag twice leaves one missed mark. */
  get missedMarks(): number {
    return this.#missedTags.size
  }

  recovered(): void {
    this.owes.clear()
    this.#missedTags.clear()
  }

  #called<A>(
    op: string,
    key: string | undefined,
    background: boolean,
    call: (begin: number) => Effect.Effect<A>,
  ): Effect.Effect<A> {
    return Effect.suspend(() => {
      this.operations += 1
      const name = this.#nameChange()
      const begin = now()
      this.#running.set(name, { op, key, background, begin })
      return Effect.ensuring(
        call(begin),
        Effect.sync(() => this.#running.delete(name)),
      )
    })
  }

  #read<A, E>(
    op: L.ReadOp,
    key: string,
    effect: Effect.Effect<A, E>,
    options: Larder.GetOptions,
    final: boolean,
    given: (value: A) => Given,
    failedBy: Effect.Effect<boolean> = Effect.succeed(false),
  ): Effect.Effect<void> {
    return this.#called(op, key, false, (begin) =>
      Effect.gen({ self: this }, function* () {
        const exit = yield* Effect.exit(effect)
        const end = now()
        const seen = Exit.isSuccess(exit) ? given(exit.value) : failure(exit.cause)
        // Interrupted: the caller got no result.
        if (seen === undefined) return
        const tierFailed = yield* failedBy
        this.#log.write({
          t: "read",
          session: this.id,
          op,
          key,
          begin,
          end,
          ...seen,
          ...(options.stale === "never" ? { stale: "never" as const } : {}),
          ...(options.maxAge === undefined ? {} : { maxAge: Number(options.maxAge) }),
          ...(tierFailed ? { tierFailed } : {}),
          ...(final ? { final } : {}),
        })
      }),
    )
  }

  #change<E>(what: What, effect: Effect.Effect<Larder.Ack, E>): Effect.Effect<void> {
    return this.#recorded(what, effect, ({ pending, settled }, at) => {
      this.#owe(what, pending.includes("redis"))
      // A settled change covers all earlier changes of this node.
      if (settled) for (const [owed, since] of this.owes) if (since < at) this.owes.delete(owed)
    })
  }

  #recorded<A extends Acknowledged, E>(
    what: What,
    effect: Effect.Effect<A, E>,
    then: (acknowledged: A, at: number) => void,
  ): Effect.Effect<void> {
    const background = what.background === true
    return this.#called(what.op, what.key, background, (at) =>
      Effect.gen({ self: this }, function* () {
        const id = this.#nameChange()
        this.#log.write({ t: "change", session: this.id, id, at, ...what })
        const exit = yield* Effect.exit(effect)
        const end = { t: "changed", id, at: now() } as const
        if (Exit.isFailure(exit)) {
          const error = failure(exit.cause)?.error
          if (error !== undefined) {
            this.#log.write({ ...end, settled: false, pending: [], error })
          }
          return
        }
        const { pending, settled, version } = exit.value
        then(exit.value, at)
        this.#log.write({ ...end, settled, version, pending })
      }),
    )
  }

  /** Records a change that writes the source, from its begin to its end. */
  wrote(
    op: "around" | "through" | "update",
    key: string,
    play: (wrote: (made?: Pick<L.WroteLine, "value" | "seen">) => void) => Written,
  ): Effect.Effect<void> {
    return this.#called(op, key, false, (at) => {
      const id = this.#nameChange()
      this.#log.write({ t: "change", session: this.id, id, at, op, key })
      const { effect, outcomeOf } = play((made = {}) =>
        this.#log.write({ t: "wrote", id, at: now(), ...made }),
      )
      const end = (exit: Exit.Exit<unknown, unknown>, told: Told) => {
        const outcome = outcomeOf(exit)
        const error =
          outcome === undefined && Exit.isFailure(exit) ? failure(exit.cause) : undefined
        const { settled, version } = told
        // A settled change covers all earlier changes of this node.
        if (settled) for (const [owed, since] of this.owes) if (since < at) this.owes.delete(owed)
        const common = {
          t: "changed",
          id,
          at: now(),
          settled,
          version,
          pending: [],
          outcome,
        } as const
        this.#log.write(error === undefined ? common : { ...common, error: error.error ?? "" })
      }
      return Effect.ignore(heardOf(this.larder, key, effect, end), { log: false })
    })
  }

  #owe(what: Pick<L.ChangeLine, "op" | "key" | "background" | "tags">, owes: boolean) {
    const { background, key, op, tags = ["everything"] } = what
    if (background === true) return
    if (owes) {
      this.owes.set(key ?? "#mark", now())
      if (key === undefined) for (const tag of tags) this.#missedTags.add(tag)
    } else if (key !== undefined && op !== "expire") this.owes.delete(key)
  }
}

export { namer }
