/** Which of several changes of one key memory may follow. */
import { describe, expect, it } from "@effect/vitest"
import { KeyTurns } from "../../../src/internal/state/keyTurns.ts"

describe("turns of changes of one key", () => {
  it("law 18: a message of a later version ends the turn of a change under way", () => {
    const turns = new KeyTurns()
    const turn = turns.take("k")
    turns.hear("k", 7)
    turns.hear("k", 5)
    turns.hear("other", 9)
    expect(turn.heard).toBe(7)
    expect(turns.end("k", turn, 6)).toBe(false)
  })

  it("the message of the change itself does not, nor an older one", () => {
    const turns = new KeyTurns()
    const turn = turns.take("k")
    turns.hear("k", 6)
    expect(turns.end("k", turn, 6)).toBe(true)
  })

  it("every change under way hears, also one that is not the last", () => {
    const turns = new KeyTurns()
    const first = turns.take("k")
    const second = turns.take("k")
    turns.hear("k", 7)
    expect([first.heard, second.heard]).toEqual([7, 7])
    expect(turns.end("k", second, 8)).toBe(true)
    expect(turns.end("k", first, 9)).toBe(false)
  })

  it("a message from before a change does not count for it", () => {
    const turns = new KeyTurns()
    turns.hear("k", 7)
    const turn = turns.take("k")
    expect(turns.end("k", turn, 6)).toBe(true)
  })

  it("a key is under way from the first begin to the last end", () => {
    const turns = new KeyTurns()
    const first = turns.take("k")
    const second = turns.take("k")
    turns.end("k", second, 1)
    expect(turns.isUnderWay("k")).toBe(true)
    turns.end("k", first, 1)
    expect(turns.isUnderWay("k")).toBe(false)
  })
})
