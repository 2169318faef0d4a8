/** Options of a larder: invalid ones are rejected, with larder, option and remedy; omitted ones have defaults. */
import { describe, expect, it } from "vitest"
import { InvalidOptions, Policy, type Upstream } from "@larder/core"
import { Effect, Schema } from "effect"
import {
  type AnyOptions,
  checkBreakers,
  codecOf,
  durationOf,
  nameOf,
  schemaVersionOf,
  settingsOf,
} from "../../../src/internal/state/settings.ts"
import { OptionFailed } from "../../../src/LarderError.ts"

const resolved: Upstream.Resolved<unknown, unknown, unknown> = {
  lookup: () => Effect.void,
  lookupMany: undefined,
  breakers: [],
}

const policy = Policy.make({ freshFor: "1 minute" })

const options = (given: Partial<AnyOptions> = {}): AnyOptions => ({
  name: "products",
  upstream: undefined as never,
  policy,
  ...given,
})

const settings = (given: Partial<AnyOptions> = {}) => settingsOf(options(given), resolved)

const defectOf = (f: () => unknown): unknown => {
  try {
    return f()
  } catch (defect) {
    return defect
  }
}

const refused = (f: () => unknown, field: string, ...parts: ReadonlyArray<string>) => {
  const defect = defectOf(f)
  expect(defect).toBeInstanceOf(InvalidOptions)
  expect(defect).toMatchObject({ module: "Larder", field })
  for (const part of [`Larder: ${field} of "products" must`, ...parts]) {
    expect((defect as InvalidOptions).message).toContain(part)
  }
}

const failed = (f: () => unknown, option: string, reason: string) => {
  const defect = defectOf(f)
  expect(defect).toBeInstanceOf(OptionFailed)
  expect(defect).toMatchObject({
    larder: "products",
    option,
    reason: expect.stringContaining(reason),
  })
}

describe("schemaVersion", () => {
  it.each([0, 1, 99_999_999])("%d is one", (schemaVersion) => {
    expect(schemaVersionOf(options({ schemaVersion }))).toBe(schemaVersion)
  })

  it.each([-1, 0.5, 100_000_000, Number.NaN, Infinity, "1" as never])("%s is none", (given) =>
    refused(
      () => schemaVersionOf(options({ schemaVersion: given })),
      "schemaVersion",
      String(given),
    ),
  )

  it("is 0 where it is left out", () => expect(schemaVersionOf(options())).toBe(0))
})

describe("stampedeCallers", () => {
  it("is 10 where it is left out", () => expect(settings().stampedeCallers).toBe(10))

  it.each([1, 500, Infinity])("can be %d", (stampedeCallers) =>
    expect(settings({ stampedeCallers }).stampedeCallers).toBe(stampedeCallers),
  )

  it.each([0, -1, 1.5, Number.NaN, "10" as never])("%s is no number of callers", (given) =>
    refused(
      () => settings({ stampedeCallers: given }),
      "stampedeCallers",
      "an integer of at least 1, or Infinity for any number",
    ),
  )
})

describe("audit", () => {
  it("is off where it is left out, and has defaults", () => {
    expect(settings().audit).toBeUndefined()
    expect(settings({ audit: {} }).audit).toMatchObject({ share: 0.001, perSecond: 1 })
  })

  it("compares by members where it has no `equal`", () => {
    const { equal } = settings({ audit: {} }).audit!
    expect(equal({ price: [1] }, { price: [1] })).toBe(true)
    expect(equal({ price: [1] }, { price: [2] })).toBe(false)
  })

  it.each([
    ["share", 0, "a number above 0, and at most 1"],
    ["share", 1.1, "a number above 0, and at most 1"],
    ["share", Number.NaN, "a number above 0, and at most 1"],
    ["perSecond", 0, "a number above 0"],
    ["perSecond", "1", "a number above 0"],
    ["equal", true, "a function, or be left out"],
  ])("%s %s is refused with the remedy", (option, given, must) =>
    refused(() => settings({ audit: { [option]: given } as never }), `audit.${option}`, must),
  )

  it("an unknown option is refused with the nearest one", () => {
    const defect = defectOf(() => settings({ audit: { persecond: 1 } as never }))
    expect(defect).toMatchObject({ module: "Larder", field: "audit.persecond" })
    expect(String(defect)).toContain("did you mean `perSecond`?")
  })
})

describe("closeTimeout", () => {
  it("is 5 seconds where it is left out", () => expect(settings().closeMillis).toBe(5_000))

  it("can be anything from 0", () => {
    expect(settings({ closeTimeout: 0 }).closeMillis).toBe(0)
    expect(settings({ closeTimeout: "2 seconds" }).closeMillis).toBe(2_000)
  })

  it.each([-1, Number.NaN, "soon" as never])("%s is no duration", (closeTimeout) =>
    refused(() => settings({ closeTimeout }), "closeTimeout", "be a duration"),
  )
})

it("a duration in milliseconds, or the field that is none", () => {
  expect(durationOf("products", "maxAge", "1 second")).toBe(1_000)
  refused(() => durationOf("products", "maxAge", Number.NaN), "maxAge", "be a duration")
})

it("a name says something", () => {
  expect(nameOf(options())).toBe("products")
  expect(defectOf(() => nameOf(options({ name: " " })))).toMatchObject({ field: "name" })
})

describe("policy", () => {
  it("one for all values is that of each", () => {
    const made = settings()
    expect([made.policy, made.policyOf("value", "key")]).toEqual([policy, policy])
  })

  it("an adaptive one is asked for the value, the key and the base", () => {
    const other = Policy.make({ freshFor: "1 minute" })
    const asked: Array<unknown> = []
    const adaptive = Policy.adaptive(policy, (...all: ReadonlyArray<unknown>) => {
      asked.push(...all)
      return other
    })
    const made = settings({ policy: adaptive as never })
    expect([made.policy, made.policyOf("value", "key")]).toEqual([policy, other])
    expect(asked).toEqual(["value", "key", policy])
  })

  it("an adaptive one that fails or gives no policy names the option", () => {
    const broken = Policy.adaptive(policy, () => {
      throw new Error("no idea")
    })
    const nonsense = Policy.adaptive(policy, () => 5 as never)
    for (const adaptive of [broken, nonsense]) {
      const { policyOf } = settings({ policy: adaptive as never })
      expect(() => policyOf("value", "key")).toThrow("policy")
    }
  })

  it.each([
    [{}, "an object"],
    [5, "5"],
    [undefined, "undefined"],
  ])("%s is none, and is shown", (given, shown) =>
    refused(() => settings({ policy: given as never }), "policy", shown, "Policy.make"),
  )
})

describe("key", () => {
  it("is the key itself where there is no function", () => {
    const { keyOf, keyProblem } = settings()
    expect([keyOf("a"), keyOf(1), keyOf({})]).toEqual(["a", "#1", undefined])
    expect(keyProblem({})).toContain("give the larder a `key` function")
  })

  it("is what the function makes of it", () => {
    const key = (asked: unknown) => (asked as { readonly id: string }).id
    const { keyOf, keyProblem } = settings({ key })
    expect([keyOf({ id: "a" }), keyOf({ id: 1 }), keyOf(undefined)]).toEqual([
      "a",
      undefined,
      undefined,
    ])
    expect(keyProblem({ id: 1 })).toContain("number")
    expect(keyProblem(undefined)).toContain("threw")
  })
})

describe("what is left out", () => {
  it("is not asked", () =>
    expect(settings()).toMatchObject({
      name: "products",
      upstream: resolved,
      tags: undefined,
      etag: undefined,
      failureFor: undefined,
      graceFor: undefined,
      revision: undefined,
    }))
})

describe("a function that gives what it should", () => {
  it("is asked with the value, or the error, and the key", () => {
    const all = settings({
      tags: (value, key) => [`${value}/${key}`],
      etag: (value, key) => `${value}-${key}`,
      failureFor: (error, key) => (error === "gone" && key === "k" ? "1 second" : 0),
      graceFor: (error, key) => error === "down" && key === "k",
      revision: (value) => Number(value),
    })
    expect(all.tags?.(1, "k")).toEqual(["1/k"])
    expect(all.etag?.(1, "k")).toBe("1-k")
    expect(all.failureFor?.("gone", "k")).toBe(1_000)
    expect(all.graceFor?.("down", "k")).toBe(true)
    expect(all.graceFor?.("gone", "k")).toBe(false)
    expect(all.revision?.("7")).toBe(7)
  })

  it("may give no tags and no validator", () => {
    expect(settings({ tags: () => [] }).tags?.(1, "k")).toEqual([])
    expect(settings({ etag: () => undefined }).etag?.(1, "k")).toBe(undefined)
  })

  it.each([7, 7n, "7", Infinity])("may give %s as a revision", (revision) =>
    expect(settings({ revision: () => revision }).revision?.(1)).toBe(revision),
  )
})

describe("a function that gives nonsense is an OptionFailed that shows it", () => {
  it.each([1, undefined, "t"])("tags: %s", (given) =>
    failed(
      () => settings({ tags: () => given as never }).tags?.(1, "k"),
      "tags",
      `it returned ${String(given)}; return an array of strings, [] for no tags`,
    ),
  )
  it.each([Number.NaN, undefined, null, true, {}])("revision: %s", (given) =>
    failed(
      () => settings({ revision: () => given as never }).revision?.(1),
      "revision",
      String(given),
    ),
  )
  it.each([1, null, {}])("etag: %s", (given) =>
    failed(() => settings({ etag: () => given as never }).etag?.(1, "k"), "etag", String(given)),
  )
  it.each([1, undefined, "yes"])("graceFor: %s", (given) =>
    failed(
      () => settings({ graceFor: () => given as never }).graceFor?.(1, "k"),
      "graceFor",
      String(given),
    ),
  )
  it.each([Number.NaN, "soon"])("failureFor: %s", (given) =>
    failed(
      () => settings({ failureFor: () => given as never }).failureFor?.(1, "k"),
      "failureFor",
      "be a duration",
    ),
  )
})

describe("circuits", () => {
  const named = (...names: ReadonlyArray<string>) => ({
    ...resolved,
    breakers: names.map((name) => ({ name })) as never,
  })

  it("each with a name of its own are taken", () =>
    checkBreakers("products", named("a", "b"), [{ name: "memory" }]))

  it("of one name, or of the name of a tier, are refused", () => {
    refused(() => checkBreakers("products", named("a", "a"), []), "upstream", '"a"', "unique names")
    refused(
      () => checkBreakers("products", named("a", "shared"), [{ name: "shared" }]),
      "upstream",
      '"shared"',
    )
  })
})

describe("value", () => {
  it("is a codec of the schema where there is one", () => {
    const codec = codecOf(options({ value: Schema.Date }), true)
    expect(Schema.encodeUnknownSync(codec as never)(new Date(0))).toBe("1970-01-01T00:00:00.000Z")
  })

  it("may be left out where no tier keeps bytes, and nowhere else", () => {
    expect(codecOf(options(), false)).toBe(Schema.Unknown)
    refused(() => codecOf(options(), true), "value", "stores bytes", "Schema.String")
  })
})
