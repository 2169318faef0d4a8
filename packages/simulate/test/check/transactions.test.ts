import { describe, expect, it } from "vitest"
import type { Transaction } from "../../src/history/History.ts"
import { Told } from "../support/told.ts"

const open = (): Transaction => ({ committed: undefined })

describe("law 24: a transaction", () => {
  it("shows its values once it has committed, and makes older what was there before", () => {
    const told = new Told()
    const old = told.at(5).lookedUp(told.a)
    const transaction = open()
    const change = told.at(10).begins(told.a, "through", undefined, { transaction })
    const made = told.at(20).makes(change, undefined)
    told.at(30).given(told.a, old, "Fresh")
    told.at(40).commits(transaction, change)
    told.at(50).ends(change, { isDone: false })
    told.at(60).given(told.a, made, "Fresh")
    expect(told.broken()).toEqual([])
    told.at(70).given(told.a, old, "Fresh")
    expect(told.broken()).toEqual(["dropped", "written", "excuse"])
  })

  it("shows nothing before its commit, not to its own caller either", () => {
    const told = new Told()
    const transaction = open()
    const change = told.at(10).begins(told.a, "through", undefined, { transaction })
    const made = told.at(20).makes(change, undefined)
    told.at(30).given(told.a, made, "Fresh")
    told.at(40).commits(transaction, change)
    told.at(50).ends(change, { isDone: false })
    expect(told.broken()).toEqual(["uncommitted"])
  })

  it("shows nothing to an update before its commit", () => {
    const told = new Told()
    const transaction = open()
    const change = told.at(10).begins(told.a, "through", undefined, { transaction })
    const made = told.at(20).makes(change, undefined)
    const update = told.at(30).begins(told.b, "update")
    told.makes(update, made)
    told.ends(update, { isDone: false })
    told.at(40).commits(transaction, change)
    told.at(50).ends(change, { isDone: false })
    expect(told.broken()).toEqual(["uncommitted"])
  })

  it("that has rolled back leaves what was there before, and none of its own", () => {
    const told = new Told()
    const old = told.at(5).lookedUp(told.a)
    const change = told.at(10).begins(told.a, "through", undefined, { transaction: open() })
    const made = told.at(20).makes(change, undefined)
    told.at(30).ends(change, { isIdle: true, isDone: false })
    told.at(40).given(told.a, old, "Fresh")
    expect(told.broken()).toEqual([])
    told.at(50).given(told.a, made, "Fresh")
    expect(told.broken()).toEqual(["known", "uncommitted"])
  })
})
