/** What waits for a backplane: one message a key, and a bound. */
import { expect, it } from "vitest"
import { queuedMessages } from "../../../src/internal/runtime/limits.ts"
import { Outbox } from "../../../src/internal/state/outbox.ts"

const inUse = () => {
  const outbox = new Outbox()
  outbox.onWaiting = () => {}
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
  outbox.giveBack(removal!)
  expect(outbox.take()).toMatchObject([{ key: "k", isRemoval: true }])
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
