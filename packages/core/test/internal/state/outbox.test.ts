/** What waits for a backplane: one message a key, and a bound. */
import { Effect } from "effect"
import { expect, it } from "vitest"
import { queuedMessages } from "../../../src/internal/runtime/limits.ts"
import { Outbox } from "../../../src/internal/state/outbox.ts"

const inUse = () => {
  const outbox = new Outbox()
  outbox.isInUse = true
  return outbox
}

it("keeps nothing where no backplane is in use", () => {
  const outbox = new Outbox()
  outbox.changed("k", false)
  outbox.marked(["tag"], true)
  expect(outbox.isEmpty).toBe(true)
})

it("tells the changes of a key once: with a removal if there was one, and the highest version", () => {
  const outbox = inUse()
  outbox.changed("k", true, 5)
  outbox.changed("k", false, 7)
  outbox.changed("l", false, 3)
  outbox.changed("l", false)
  expect(outbox.take()).toEqual([
    { _tag: "Changed", key: "k", isRemoval: true, version: 7 },
    { _tag: "Changed", key: "l", isRemoval: false, version: undefined },
  ])
  expect(outbox.isEmpty).toBe(true)
})

it("keeps the removal of a message that comes back beside a later change", () => {
  const outbox = inUse()
  outbox.changed("k", true)
  const [removal] = outbox.take()
  outbox.changed("k", false)
  outbox.giveBack([removal!])
  expect(outbox.take()).toMatchObject([{ key: "k", isRemoval: true }])
})

it("what was taken is unsent until it is sent; what comes back waits again, once", () => {
  const outbox = inUse()
  let ends = 0
  let wakes = 0
  const wait = () => Effect.runFork(Effect.map(outbox.allSent, () => (ends += 1)))
  outbox.onWaiting = () => (wakes += 1)
  wait()
  expect(ends).toBe(1)
  outbox.changed("k", false)
  outbox.changed("l", false)
  wait()
  const [k, l] = outbox.take()
  expect([outbox.isEmpty, outbox.unsent, ends, wakes]).toEqual([true, 2, 1, 2])
  outbox.sent(k!)
  outbox.giveBack([k!, l!])
  outbox.giveBack([k!, l!])
  expect([outbox.isEmpty, outbox.unsent, ends, wakes]).toEqual([false, 1, 1, 3])
  outbox.sent(outbox.take()[0]!)
  expect(outbox.unsent).toBe(0)
})

it("law 15: beyond the bound one mark of everything is left, which drops if anything there did", () => {
  const fill = (outbox: Outbox) => {
    for (let i = 0; i <= queuedMessages; i += 1) outbox.changed(`key ${i}`, false)
    return outbox.take()[0]
  }
  const everything = (keepStale: boolean) => ({ _tag: "Marked", tags: [undefined], keepStale })
  expect(fill(inUse())).toEqual(everything(true))
  const removing = inUse()
  removing.changed("k", true)
  expect(fill(removing)).toEqual(everything(false))
  const dropping = inUse()
  dropping.marked(["tag"], false)
  expect(fill(dropping)).toEqual(everything(false))
})
