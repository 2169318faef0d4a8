/** When the heartbeats of a subscription count as silent. */
import { assert, describe, it } from "@effect/vitest"
import * as Pulse from "../../../src/internal/arbitrate/pulse.ts"

const after = (...steps: ReadonlyArray<"beat" | number>) =>
  steps.reduce<Pulse.Pulse>(
    (pulse, step) => (step === "beat" ? Pulse.beat(pulse) : Pulse.hear(pulse, step)),
    Pulse.begun,
  )

describe("Pulse", () => {
  it("is silent when the third heartbeat after the last arrived one is sent", () => {
    assert.isFalse(Pulse.isSilent(Pulse.begun))
    assert.isFalse(Pulse.isSilent(after("beat", "beat")))
    assert.isTrue(Pulse.isSilent(after("beat", "beat", "beat")))
    assert.isFalse(Pulse.isSilent(after("beat", 1, "beat", "beat", "beat", 2)))
    assert.isTrue(Pulse.isSilent(after("beat", 1, "beat", "beat", "beat")))
  })

  it("counts from when a heartbeat was sent: one from before the silence does not end it", () => {
    assert.isTrue(Pulse.isSilent(after("beat", "beat", "beat", "beat", 1)))
    assert.isFalse(Pulse.isSilent(after("beat", "beat", "beat", "beat", 2)))
  })

  it("keeps the highest number when heartbeats arrive late or twice", () => {
    assert.deepEqual(after("beat", "beat", 2, 1, 2), { sent: 2, arrived: 2 })
  })
})
