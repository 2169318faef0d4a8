import { expect, it } from "vitest"
import { recorded } from "../../src/trips/sent.ts"

/** A client whose commands are answered when the test says so. */
const client = () => {
  const passed: Array<string> = []
  const sender = {
    sendCommand({ name }: { readonly name: string; readonly promise: Promise<unknown> }): unknown {
      passed.push(name)
      return name
    },
  }
  const recorder = recorded(sender)
  const send = (name: string) => {
    const { promise, reject, resolve } = Promise.withResolvers<unknown>()
    expect(sender.sendCommand({ name, promise })).toBe(name)
    return { resolve: () => resolve("OK"), reject: () => reject(new Error("NOSCRIPT")), promise }
  }
  return { passed, recorder, send }
}

it("commands sent before an answer share a trip; what is sent after one, or after an error, is another", async () => {
  const { recorder, send } = client()
  const get = send("get")
  send("evalsha")
  get.resolve()
  await get.promise
  const acquire = send("evalsha")
  acquire.reject()
  await expect(acquire.promise).rejects.toThrow("NOSCRIPT")
  send("eval")
  expect(recorder.count()).toBe(4)
  expect(recorder.take()).toEqual({ commands: ["get", "evalsha", "evalsha", "eval"], trips: 3 })
})

it("what is about the connection is passed on and not counted, and what was taken is gone", () => {
  const { passed, recorder, send } = client()
  send("ping")
  send("get")
  expect(recorder.take()).toEqual({ commands: ["get"], trips: 1 })
  expect(recorder.take()).toEqual({ commands: [], trips: 0 })
  expect(passed).toEqual(["ping", "get"])
})
