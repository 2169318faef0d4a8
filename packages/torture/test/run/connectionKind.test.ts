import { expect, it } from "vitest"
import { kindOf } from "../../src/run/connectionKind.ts"

const request = (...words: ReadonlyArray<string>): string =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`

const kind = (...requests: ReadonlyArray<ReadonlyArray<string>>) =>
  kindOf(Buffer.from(requests.map((words) => request(...words)).join("")))

it("a connection that subscribes is one of subscriptions, whatever it has sent before", () => {
  expect(kind(["SUBSCRIBE", "c"])).toBe("subscriptions")
  expect(kind(["ssubscribe", "c"])).toBe("subscriptions")
  expect(kind(["HELLO", "3"], ["info"], ["psubscribe", "c*"])).toBe("subscriptions")
})

it("a connection that sends other commands is one of commands", () => {
  expect(kind(["get", "k"])).toBe("commands")
  expect(kind(["auth", "p"], ["EVALSHA", "abc", "0"])).toBe("commands")
})

it("nothing tells while the client only says hello", () => {
  expect(kind(["info"], ["client", "setname", "n"], ["ping"])).toBe(undefined)
  expect(kindOf(Buffer.from("rest of a value"))).toBe(undefined)
})
