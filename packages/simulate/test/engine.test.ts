import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { EventLoop, NeverQuiet } from "../src/engine/eventLoop.ts"
import { epoch, MachineTime, Process } from "../src/engine/process.ts"

describe("the event loop", () => {
  it("runs timers in the order of their times, and of one time in the order of setting", () => {
    const loop = new EventLoop()
    const seen: Array<string> = []
    for (const [millis, name] of [
      [20, "c"],
      [10, "a"],
      [10, "b"],
      [30, "d"],
    ] as const) {
      loop.after(millis, () => seen.push(`${name} ${loop.now}`))
    }
    loop.after(15, () => seen.push("never"))()
    loop.pass(25)
    expect(seen).toEqual(["a 10", "b 10", "c 20"])
    expect(loop.now).toBe(25)
  })

  it("ends a simulation that never rests", () => {
    const loop = new EventLoop()
    const again = () => loop.soon(again)
    again()
    expect(() => loop.drain()).toThrow(NeverQuiet)
  })
})

const woken = (process: Process, millis: number, seen: Array<number>) =>
  Effect.runForkWith(process.context)(
    Effect.andThen(
      Effect.sleep(millis),
      Effect.map(Clock.currentTimeMillis, (at) => seen.push(at)),
    ),
  )

describe("a process", () => {
  it("does nothing while it is stopped, and goes on later", () => {
    const loop = new EventLoop()
    const process = new Process(loop, new MachineTime(0))
    const seen: Array<number> = []
    woken(process, 10, seen)
    process.stop()
    loop.pass(50)
    expect(seen).toEqual([])
    process.continue()
    loop.drain()
    expect(seen).toEqual([epoch + 50])
    expect(process.pending).toBe(0)
  })

  it("does nothing any more when it was killed", () => {
    const loop = new EventLoop()
    const process = new Process(loop, new MachineTime(0))
    const seen: Array<number> = []
    woken(process, 10, seen)
    process.kill()
    process.continue()
    loop.pass(50)
    expect(seen).toEqual([])
  })

  it("has the clock of its machine: skew, rate, and monotonic time that no step changes", () => {
    const loop = new EventLoop()
    const time = new MachineTime(300_000)
    const process = new Process(loop, time)
    const seen: Array<number> = []
    time.setRate(2, loop.now)
    woken(process, 100, seen)
    loop.pass(50)
    expect(seen).toEqual([epoch + 300_000 + 100])
    time.skew = -1_000
    time.setRate(1, loop.now)
    loop.pass(10)
    expect(process.currentTimeMillisUnsafe()).toBe(epoch - 1_000 + 110)
    expect(process.monotonicTimeNanosUnsafe()).toBe(110_000_000n)
  })
})
