/** A value that a caller sets, compared with the known revisions: in memory, in nearer tiers and at the arbiter, also when another change comes in between. */
import { describe, expect, it } from "vitest"
import type { Entry } from "@larder/core"
import { Effect } from "effect"
import { Marks } from "../../../src/internal/invalidation/marks.ts"
import type { Engine } from "../../../src/internal/state/engine.ts"
import type { Committed } from "../../../src/internal/tier/arbiterWrites.ts"
import type { FartherTier } from "../../../src/internal/tier/backingTier.ts"
import type { TierRead } from "../../../src/internal/tier/tierRead.ts"
import type { Granted } from "../../../src/internal/tier/leases.ts"
import {
  applyUnlessNewer,
  newerIn,
  newerInMemory,
  newerNearby,
  newerThan,
} from "../../../src/internal/write/revisedSet.ts"
import { OptionFailed } from "../../../src/LarderError.ts"

const entryOf = (value: unknown, version = 1): Entry.Entry<unknown> => ({
  value,
  storedAt: 0,
  freshUntil: 10,
  revalidateUntil: 10,
  staleUntil: 10,
  loadMillis: 0,
  version,
  asOf: 0,
  tags: [],
})

const found = (value: unknown, version = 1): TierRead => ({
  _tag: "Entry",
  entry: entryOf(value, version),
})

/** Values are their own revisions: 5 is set. */
const isNewer = ({ value }: Entry.Entry<unknown>): boolean => 5 < (value as number)

/** A tier that gives these answers in turn, and records its requests. */
const scripted = (script: {
  readonly read?: ReadonlyArray<TierRead | undefined>
  readonly acquire?: ReadonlyArray<Granted | undefined>
  readonly commit?: ReadonlyArray<Committed | undefined>
}) => {
  const asked: Array<unknown> = []
  const left = {
    read: [...(script.read ?? [])],
    acquire: [...(script.acquire ?? [])],
    commit: [...(script.commit ?? [])],
  }
  const tier = {
    read: (keys: ReadonlyArray<string>) =>
      Effect.sync(() => {
        asked.push(["read", ...keys])
        return [left.read.shift()]
      }),
    leases: {
      acquire: (_: string, { force, known }: { readonly known: number; readonly force: boolean }) =>
        Effect.sync(() => {
          asked.push(["acquire", known, ...(force ? ["force"] : [])])
          return left.acquire.shift()
        }),
      release: (_: string, token: number, failedFor: number) =>
        Effect.sync(() => {
          asked.push(["release", token, failedFor])
          return true
        }),
    },
    writes: {
      commit: (_: string, { value, version }: Entry.Entry<unknown>) =>
        Effect.sync(() => {
          asked.push(["commit", value, version])
          return left.commit.shift()
        }),
    },
  } as unknown as FartherTier
  return { tier, asked }
}

/** The duration of each trip to an arbiter, ms. */
const tripMillis = 4

/** Entries are missing from moment 10 on; it is moment `now`. Pauses are noted, and none is made. */
const engineOf = (given: {
  readonly now?: number
  readonly farther?: ReadonlyArray<FartherTier>
  readonly arbiter?: FartherTier
  readonly queued?: Entry.Entry<unknown>
  readonly hand?: Entry.Entry<unknown>
  readonly revision?: (value: unknown) => number
  /** From 0 to 1. */
  readonly chance?: number
}) => {
  const undecodable: Array<unknown> = []
  const pauses: Array<number> = []
  const marks = new Marks()
  const now = given.now ?? 0
  let looks = 0
  const engine = {
    settings: { policy: { tierBudget: 200, tierTimeout: 100 }, revision: given.revision },
    marks,
    versions: { asOf: () => marks.last },
    // It is looked at before and after each answer.
    stopwatch: () => Math.floor((looks += 1) / 2) * tripMillis,
    sleep: (millis: number) => Effect.sync(() => pauses.push(millis)),
    random: { nextDoubleUnsafe: () => given.chance ?? 0 },
    stack: { farther: given.farther ?? [], arbiter: given.arbiter, leaseMillis: 10_000 },
    nearName: "memory",
    now: () => now,
    writes: { newest: () => given.queued && { entry: given.queued } },
    entries: {
      candidate: () => given.hand && { entry: given.hand },
      judge: ({ staleUntil }: Entry.Entry<unknown>) => ({
        _tag: now < staleUntil ? "Fresh" : "Missing",
      }),
    },
    optionFailures: {
      undecodable: (...args: ReadonlyArray<unknown>) => {
        undecodable.push(args)
        return undefined
      },
    },
  } as unknown as Engine
  return { engine, undecodable, marks, pauses }
}

describe("newerThan", () => {
  it("compares by the source's own version; an equal one is not newer", () => {
    const { engine } = engineOf({ revision: (value) => value as number })
    const newer = newerThan(engine, "k", 5)
    expect([4, 5, 6].map((value) => newer?.(entryOf(value)))).toEqual([false, false, true])
  })

  it("is nothing where there is no such version", () =>
    expect(newerThan(engineOf({}).engine, "k", 5)).toBe(undefined))

  it("a stored value on which revision fails is told as undecodable, and not newer", () => {
    const failure = new OptionFailed({
      larder: "l",
      option: "revision",
      reason: "r",
      cause: undefined,
    })
    const { engine, undecodable } = engineOf({
      revision: (value) => {
        if (value === 9) throw failure
        return value as number
      },
    })
    expect(newerThan(engine, "k", 5)?.(entryOf(9))).toBe(false)
    expect(undecodable).toEqual([["k", "memory", failure]])
    expect(() => newerThan(engine, "k", 9)).toThrow(failure)
  })
})

describe("newerInMemory", () => {
  it("is the one that waits to be written, or else what memory has", () => {
    const [old, newer, newest] = [entryOf(4), entryOf(6), entryOf(7)]
    const of = (queued: typeof old | undefined, hand: typeof old | undefined) =>
      newerInMemory(engineOf({ queued: queued!, hand: hand! }).engine, "k", isNewer)
    expect(of(newest, newer)).toBe(newest)
    expect(of(old, newer)).toBe(newer)
    expect(of(undefined, newer)).toBe(newer)
    expect(of(newest, undefined)).toBe(newest)
    expect(of(old, old)).toBe(undefined)
    expect(of(undefined, undefined)).toBe(undefined)
  })
})

describe("what a tier has", () => {
  it.each([
    ["a newer one", found(6), 6],
    ["an older one", found(4), undefined],
    ["nothing", { _tag: "Nothing", version: 9 } as const, undefined],
    ["one of a newer release", { _tag: "Foreign", version: 9 } as const, undefined],
    ["no answer", undefined, undefined],
  ])("%s", async (_, answer, expected) => {
    const { tier } = scripted({ read: [answer] })
    const newer = await Effect.runPromise(newerIn(engineOf({}).engine, tier, "k", isNewer))
    expect(newer?.value).toBe(expected)
  })

  it("a newer one past its life stands in nobody's way", async () => {
    const { tier } = scripted({ read: [found(6)] })
    const { engine } = engineOf({ now: 10 })
    expect(await Effect.runPromise(newerIn(engine, tier, "k", isNewer))).toBe(undefined)
  })

  it("is looked for in those that do not arbitrate, nearest first, up to the first newer one", async () => {
    const [one, two, three, arbiter] = [
      scripted({ read: [found(4)] }),
      scripted({ read: [found(6)] }),
      scripted({ read: [found(7)] }),
      scripted({ read: [found(8)] }),
    ]
    const look = (...farther: ReadonlyArray<FartherTier>) =>
      Effect.runPromise(
        newerNearby(engineOf({ farther, arbiter: arbiter.tier }).engine, "k", isNewer),
      )
    expect((await look(one.tier, two.tier, three.tier, arbiter.tier))?.value).toBe(6)
    expect([one, two, three, arbiter].map(({ asked }) => asked.length)).toEqual([1, 1, 0, 0])
    expect(await look(arbiter.tier)).toBe(undefined)
  })
})

describe("applyUnlessNewer", () => {
  const apply = async (
    script: Parameters<typeof scripted>[0],
    known = 3,
    {
      chance = 0,
      isMarked = false,
    }: { readonly chance?: number; readonly isMarked?: boolean } = {},
  ) => {
    const { asked, tier } = scripted(script)
    const { engine, marks, pauses } = engineOf({ arbiter: tier, chance })
    if (isMarked) marks.add([undefined], true, 0, 0)
    const entry = entryOf(5, 0)
    const applied = await Effect.runPromise(
      applyUnlessNewer(engine, tier, "k", entry, known, isNewer),
    )
    return { applied, asked, pauses, mark: marks.last }
  }
  const won = { _tag: "Won", token: 8 } as const

  it("commits under the right that it was given: the token is the version", async () => {
    const { applied, asked } = await apply({ acquire: [won], commit: ["Stored"] })
    expect(applied).toEqual({ version: 8, asOf: 0, refused: false })
    // What it won without force was compared by the arbiter: no read is needed.
    expect(asked).toEqual([
      ["acquire", 3],
      ["commit", 5, 8],
    ])
  })

  it("is refused where the arbiter has a newer value, under that one's version", async () => {
    const { applied, asked } = await apply({ acquire: [{ _tag: "Newer", found: found(6, 7) }] })
    expect(applied).toEqual({ version: 7, refused: true })
    expect(asked).toEqual([["acquire", 3]])
  })

  it.each([
    ["an older value", found(4, 7)],
    ["a removal", { _tag: "Nothing", version: 7 } as const],
  ])("asks once more from there where the arbiter has %s of a later version", async (_, there) => {
    const { applied, asked } = await apply({
      acquire: [{ _tag: "Newer", found: there }, won],
      commit: ["Stored"],
    })
    expect(applied).toEqual({ version: 8, asOf: 0, refused: false })
    expect(asked).toEqual([
      ["acquire", 3],
      ["acquire", 7],
      ["commit", 5, 8],
    ])
  })

  it.each([3, 2])(
    "takes the right by force where the version told, %d, does not rise",
    async (version) => {
      const { applied, asked } = await apply({
        acquire: [{ _tag: "Newer", found: found(4, version) }, won],
        read: [found(4, version)],
        commit: ["Stored"],
      })
      expect(applied).toEqual({ version: 8, asOf: 0, refused: false })
      expect(asked).toEqual([
        ["acquire", 3],
        ["acquire", 3, "force"],
        ["read", "k"],
        ["commit", 5, 8],
      ])
    },
  )

  it.each(["Busy", "Failed"] as const)(
    "takes the right from a lookup (%s), and then compares with what is stored",
    async (_tag) => {
      const { applied, asked } = await apply({
        acquire: [{ _tag, leftMillis: 100 }, won],
        read: [found(6, 7)],
      })
      expect(applied).toEqual({ version: 7, refused: true })
      // The right is given back as by a lookup that has not failed.
      expect(asked).toEqual([
        ["acquire", 3],
        ["acquire", 3, "force"],
        ["read", "k"],
        ["release", 8, 0],
      ])
    },
  )

  it("is unknown where the arbiter does not answer", async () => {
    expect(await apply({ acquire: [undefined] })).toMatchObject({
      applied: undefined,
      asked: [["acquire", 3]],
    })
  })

  it.each([undefined, "Unjudged"] as const)(
    "is unknown where the arbiter's answer to the value is %s",
    async (answer) => {
      const { applied, asked } = await apply({ acquire: [won, won], commit: [answer, "Stored"] })
      expect(applied).toBe(undefined)
      expect(asked).toHaveLength(2)
    },
  )

  const busy = { _tag: "Busy", leftMillis: 100 } as const

  it("takes the right by force no more once something else came in between", async () => {
    const { applied, asked } = await apply({
      acquire: [busy, won, { ...won, token: 9 }],
      read: [found(4, 7)],
      commit: ["Superseded", "Stored"],
    })
    expect(applied).toEqual({ version: 9, asOf: 0, refused: false })
    expect(asked).toEqual([
      ["acquire", 3],
      ["acquire", 3, "force"],
      ["read", "k"],
      ["commit", 5, 8],
      ["acquire", 3],
      ["commit", 5, 9],
    ])
  })

  it("stores the value once more, over itself and above a mark that came before it", async () => {
    const { applied, asked, mark } = await apply(
      {
        acquire: [busy, won, { ...won, token: 9 }],
        read: [found(4, 7)],
        commit: ["Stored", "Stored"],
      },
      3,
      { isMarked: true },
    )
    expect(mark).toBeGreaterThan(0)
    expect(applied).toEqual({ version: 9, asOf: mark, refused: false })
    expect(asked.slice(3)).toEqual([
      ["commit", 5, 8],
      ["acquire", 8],
      ["commit", 5, 9],
    ])
  })

  it.each([
    ["least", 0, [4, 8, 16, 32, 50, 50]],
    ["most", 1, [8, 16, 32, 64, 100, 100]],
  ] as const)(
    "stands back for a trip, twice as long each time and for no more than tierTimeout, up to twice that by chance: at %s",
    async (_, chance, expected) => {
      const { pauses } = await apply(
        {
          acquire: [busy, ...Array.from({ length: 6 }, () => won)],
          read: [found(4, 7)],
          commit: [...Array.from({ length: 5 }, () => "Superseded" as const), "Stored"],
        },
        3,
        { chance },
      )
      expect(pauses).toEqual(expected)
    },
  )

  it.each(["Superseded", "Lost"] as const)(
    "does all of it again where something came in between (%s), twelve times at most",
    async (refused) => {
      const again = await apply({
        acquire: [won, { ...won, token: 9 }],
        commit: [refused, "Stored"],
      })
      expect(again.applied).toEqual({ version: 9, asOf: 0, refused: false })
      const { applied, asked } = await apply({
        acquire: Array.from({ length: 20 }, () => won),
        commit: Array.from({ length: 20 }, () => refused),
      })
      expect(applied).toBe(undefined)
      expect(asked).toHaveLength(24)
    },
  )
})
