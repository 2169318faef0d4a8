import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { afterAll } from "vitest"
import { described, readTrace, type Trace } from "../src/index.ts"

const folder = mkdtempSync(join(tmpdir(), "larder-traces-"))
afterAll(() => rmSync(folder, { recursive: true }))

const written = (name: string, bytes: string | Buffer): string => {
  const file = join(folder, name)
  writeFileSync(file, bytes)
  return file
}

const requested = ({ keys, requests }: Trace): ReadonlyArray<string> =>
  Array.from(requests, (place) => keys[place]!)

const messageFor = (file: string, field?: string) =>
  Effect.map(Effect.flip(readTrace(file, { field })), ({ message }) => message)

const common = [
  `127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /jam?size=2 HTTP/1.0" 200 2326`,
  `::1 - - [10/Oct/2000:13:55:37 -0700] "POST /basket HTTP/1.1" 302 -`,
  `10.0.0.7 - - [10/Oct/2000:13:55:38 -0700] "HEAD /tea HTTP/1.1" 404 0`,
  `10.0.0.7 - - [10/Oct/2000:13:55:39 -0700] "\\x16\\x03\\x01" 400 0`,
]
const combined = [
  `shop.example:443 10.0.0.7 - Ann Lee [10/Oct/2000:13:55:38 -0700] "GET /a\\"b HTTP/2.0" 200 9 "https://x.example/" "Mozilla/5.0 (\\"X\\"; rv:1)"`,
  `10.0.0.7 - - [10/Oct/2000:13:55:38 -0700] "GET /tea HTTP/1.1" 200 9 "-" "curl/8"`,
]

describe("readTrace", () => {
  it.effect("one key per line: each different key once, in the order of first appearance", () =>
    Effect.gen(function* () {
      const text = "b\n__proto__\nb\n7\n07\n a b\t\nb"
      const expected = {
        keys: ["b", "__proto__", "7", "07", " a b\t"],
        requests: Uint32Array.of(0, 1, 0, 2, 3, 4, 0),
      }
      for (const file of [written("plain.txt", text), written("packed", gzipSync(text))]) {
        const { format, trace, unreadable } = yield* readTrace(file)
        assert.deepStrictEqual(trace, expected)
        assert.deepStrictEqual([format, unreadable], ["one key per line", 0])
      }
    }),
  )

  it.effect("Common Log Format: the targets of GET and HEAD", () =>
    Effect.gen(function* () {
      const recording = yield* readTrace(written("access.log", common.join("\n")))
      assert.deepStrictEqual(requested(recording.trace), ["/jam?size=2", "/tea"])
      assert.strictEqual(
        described(recording),
        "2 requests for 2 keys (access log); 1 unreadable line left out, the first is line 4; 1 request other than GET and HEAD left out",
      )
    }),
  )

  it.effect("Combined Log Format, with escaped quotes, a host in front and names with spaces", () =>
    Effect.gen(function* () {
      const { trace, unreadable } = yield* readTrace(
        written("combined.log.gz", gzipSync(combined.join("\r\n"))),
      )
      assert.deepStrictEqual([requested(trace), unreadable], [[`/a\\"b`, "/tea"], 0])
    }),
  )

  it.effect("JSON lines: the text or number of the field that is named, by a path too", () =>
    Effect.gen(function* () {
      const file = written(
        "requests.jsonl",
        [
          `{"url":"/jam","request":{"id":7},"a.b":"dotted"}`,
          `{"url":"","request":{}}`,
          `{"url":"/tea","request":{"id":"8"}}`,
          `{"url":`,
          `["url"]`,
        ].join("\n"),
      )
      const byUrl = yield* readTrace(file, { field: "url" })
      assert.deepStrictEqual(requested(byUrl.trace), ["/jam", "/tea"])
      assert.deepStrictEqual([byUrl.unreadable, byUrl.firstUnreadable], [3, 2])
      const byPath = yield* readTrace(file, { field: "request.id" })
      assert.deepStrictEqual(requested(byPath.trace), ["7", "8"])
      const dotted = yield* readTrace(file, { field: "a.b" })
      assert.deepStrictEqual(requested(dotted.trace), ["dotted"])
    }),
  )

  it.effect("JSON lines without a field name the fields there are", () =>
    Effect.gen(function* () {
      const file = written("unnamed.jsonl", `{"ts":1,"url":"/jam"}\n`.repeat(200))
      assert.strictEqual(
        yield* messageFor(file),
        `${file} cannot be replayed: it holds JSON lines, and no field is named. Name the field that holds the key with --field NAME: one of ts, url.`,
      )
    }),
  )

  it.effect("the format is that of most of the first lines, whatever the very first one is", () =>
    Effect.gen(function* () {
      const { format, trace, unreadable } = yield* readTrace(
        written("cut.log", ["3:55:36 -0700] cut off", ...combined, ...combined].join("\n")),
      )
      assert.deepStrictEqual([format, trace.requests.length, unreadable], ["access log", 4, 1])
    }),
  )

  it.effect("a trace of many pieces is whole, and late lines that are unreadable are counted", () =>
    Effect.gen(function* () {
      const keys = Array.from({ length: 90_000 }, (_, request) => `key ${request % 1_700}`)
      const text = [...keys, "\u0000\u0001", ...keys].join("\n")
      const { firstUnreadable, trace, unreadable } = yield* readTrace(written("long", text))
      assert.deepStrictEqual(requested(trace), [...keys, ...keys])
      assert.deepStrictEqual([unreadable, firstUnreadable], [1, 90_001])
    }),
  )

  it.effect("a file without a readable line is named, with what would do", () =>
    Effect.gen(function* () {
      const random = Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => (at * 7_919) >>> 3))
      const packed = gzipSync("a\nb\n".repeat(9_999))
      const remedy = "Give an access log in Common or Combined Log Format, JSON lines with"
      for (const [file, reason, field] of [
        [join(folder, "absent"), "ENOENT: no such file or directory"],
        [folder, "EISDIR: illegal operation on a directory"],
        [written("empty", ""), "it is empty"],
        [written("blank", "\n\r\n\n"), "it is empty"],
        [written("binary", random), "none of its "],
        [written("cut.gz", packed.subarray(0, 40)), "unexpected end of file"],
        [
          written("no-json", "a\nb\n"),
          "none of its 2 lines can be read as JSON lines, field x",
          "x",
        ],
      ] as const) {
        const message = yield* messageFor(file, field)
        assert.include(message, `${file} cannot be replayed: ${reason}`)
        assert.include(message, remedy)
      }
    }),
  )
})
