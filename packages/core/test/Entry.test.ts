import { assert, describe, it } from "@effect/vitest"
import { Entry } from "@larder/core"

const entry = (times: Partial<Entry.Entry<string>> = {}): Entry.Entry<string> => ({
  value: "milk",
  storedAt: 1_000,
  freshUntil: 1_010,
  revalidateUntil: 1_020,
  staleUntil: 1_030,
  loadMillis: 1,
  version: 7,
  asOf: 3,
  tags: ["t"],
  ...times,
})

describe("law 21: an entry from elsewhere", () => {
  it("is what it says where it was stored by now", () => {
    const told = entry()
    assert.strictEqual(Entry.believedAt(told, 1_000), told)
    assert.strictEqual(Entry.believedAt(told, 5_000), told)
  })

  it("is not fresh where it says it was stored later, and ends after its own duration", () => {
    assert.deepStrictEqual(
      Entry.believedAt(entry(), 994),
      entry({ storedAt: 994, freshUntil: 994, revalidateUntil: 994, staleUntil: 1_024 }),
    )
  })

  it("is as fresh as it says within what two clocks can differ by in reading, and counts from now", () => {
    const [told, moved] = [entry(), 5]
    assert.deepStrictEqual(
      Entry.believedAt(told, 995),
      entry({
        storedAt: 995,
        freshUntil: told.freshUntil - moved,
        revalidateUntil: told.revalidateUntil - moved,
        staleUntil: told.staleUntil - moved,
      }),
    )
  })

  it("stays for ever where it is for ever, without being fresh", () => {
    const { forever } = Entry
    const times = { freshUntil: forever, revalidateUntil: forever, staleUntil: forever }
    assert.deepStrictEqual(
      Entry.believedAt(entry(times), 500),
      entry({ storedAt: 500, freshUntil: 500, revalidateUntil: 500, staleUntil: forever }),
    )
  })

  it("is nothing where it has no duration", () => {
    const times = { freshUntil: 1_000, revalidateUntil: 1_000, staleUntil: 1_000 }
    assert.isUndefined(Entry.believedAt(entry(times), 500))
  })
})

describe("an entry that is shifted", () => {
  it("has all its times moved, by whatever offset", () => {
    for (const offset of [1, -1, 500]) {
      assert.deepStrictEqual(
        Entry.shift(entry(), offset),
        entry({
          storedAt: 1_000 + offset,
          freshUntil: 1_010 + offset,
          revalidateUntil: 1_020 + offset,
          staleUntil: 1_030 + offset,
        }),
      )
    }
  })

  it("by nothing is the same entry", () => {
    const given = entry()
    assert.strictEqual(Entry.shift(given, 0), given)
  })
})
