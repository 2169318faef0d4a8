/** Several processes on one file, and processes that are killed in the middle of writing. */
import { assert, describe, it } from "@effect/vitest"
import { Envelope } from "@larder/core"
import * as Effect from "effect/Effect"
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { DatabaseSync } from "node:sqlite"
import { temporaryFile } from "./support/files.ts"
import { openOn } from "./support/stores.ts"

const writer = fileURLToPath(new URL("support/writer.ts", import.meta.url))

interface Worker {
  readonly process: ChildProcess
  /** The complete lines that it has printed. */
  readonly lines: () => ReadonlyArray<string>
  readonly ended: Promise<number | null>
}

const start = (filename: string, name: string, rounds: number) =>
  Effect.acquireRelease(
    Effect.sync((): Worker => {
      const child = spawn(process.execPath, [writer, filename, name, String(rounds)], {
        stdio: ["ignore", "pipe", "inherit"],
      })
      let said = ""
      child.stdout.on("data", (chunk) => (said += String(chunk)))
      return {
        process: child,
        lines: () =>
          said
            .slice(0, said.lastIndexOf("\n") + 1)
            .split("\n")
            .slice(0, -1),
        ended: new Promise((resolve) => child.on("close", resolve)),
      }
    }),
    (worker) => Effect.sync(() => worker.process.kill("SIGKILL")),
  )

const saidMore = (worker: Worker, count: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let i = 0; i < 2000; i++) {
      if (worker.lines().length >= count) return
      yield* Effect.sleep("10 millis")
    }
    assert.fail(`said ${worker.lines().length} of ${count} lines within 20 s`)
  })

/** The numbers of each kind of line, in their order. */
const numbersOf = (lines: ReadonlyArray<string>): ReadonlyMap<string, ReadonlyArray<number>> => {
  const numbers = new Map<string, Array<number>>()
  for (const line of lines) {
    const [name, number] = line.split(" ") as [string, string | undefined]
    if (number === undefined) continue
    numbers.set(name, [...(numbers.get(name) ?? []), Number(number)])
  }
  return numbers
}

const isSound = (filename: string): boolean => {
  const database = new DatabaseSync(filename)
  try {
    return database.prepare("PRAGMA integrity_check").get()?.["integrity_check"] === "ok"
  } finally {
    database.close()
  }
}

describe("kill -9 in the middle of writes", () => {
  it.live(
    "loses nothing acknowledged, and never gives a wrong value",
    () =>
      Effect.gen(function* () {
        const filename = yield* temporaryFile
        const acknowledged = new Map<string, number>()
        let marked = 0
        for (let round = 0; round < 5; round++) {
          const worker = yield* start(filename, `round${round}`, 100_000)
          yield* saidMore(worker, 200 + 137 * round)
          worker.process.kill("SIGKILL")
          yield* Effect.promise(() => worker.ended)
          for (const [name, numbers] of numbersOf(worker.lines())) {
            // Each process goes on where the last was cut off.
            const last = numbers.at(-1)!
            if (name === "mark") {
              assert.isAbove(numbers[0]!, marked)
              marked = last
              continue
            }
            assert.isAbove(numbers[0]!, acknowledged.get(name) ?? 0, name)
            acknowledged.set(name, last)
          }
          const { arbiter, store, text } = yield* openOn({ filename })
          for (const [name, version] of acknowledged) {
            if (!name.startsWith("k")) continue
            const [bytes] = yield* store.read([name])
            assert.isDefined(bytes, name)
            assert.isAtLeast(Envelope.version(bytes!)!, version, name)
            assert.match((yield* text(name))!, /^round\d \d+ x*$/)
          }
          assert.isAtLeast((yield* arbiter.marks(0)).last, marked)
          assert.isTrue(isSound(filename))
        }
      }),
    60_000,
  )
})

describe("several processes on one file", () => {
  it.live(
    "laws 11, 20: no version, token or mark is given out twice, and all rise",
    () =>
      Effect.gen(function* () {
        const filename = yield* temporaryFile
        const workers = yield* Effect.forEach(["a", "b", "c"], (name) => start(filename, name, 150))
        for (const worker of workers) {
          assert.strictEqual(yield* Effect.promise(() => worker.ended), 0)
        }
        const all = new Map<string, Array<number>>()
        for (const worker of workers) {
          for (const [name, numbers] of numbersOf(worker.lines())) {
            for (let i = 1; i < numbers.length; i++) assert.isAbove(numbers[i]!, numbers[i - 1]!)
            all.set(name, [...(all.get(name) ?? []), ...numbers])
          }
        }
        for (const [name, numbers] of all) {
          assert.strictEqual(new Set(numbers).size, numbers.length, name)
        }
        const { store } = yield* openOn({ filename })
        for (const [name, numbers] of all) {
          if (!name.startsWith("k")) continue
          const [bytes] = yield* store.read([name])
          assert.strictEqual(Envelope.version(bytes!), Math.max(...numbers), name)
        }
        assert.isTrue(isSound(filename))
      }),
    60_000,
  )

  it.live("law 7: of many processes one has the lease; a killed holder's passes on", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const request = { known: 0, leaseMillis: 300, force: false }
      const one = yield* openOn({ filename })
      const other = yield* openOn({ filename })
      assert.strictEqual((yield* one.arbiter.acquire("k", request))._tag, "Won")
      const busy = yield* other.arbiter.acquire("k", request)
      assert.isTrue(busy._tag === "Busy" && busy.leftMillis <= 300)
      let next = busy
      while (next._tag === "Busy") {
        yield* Effect.sleep("20 millis")
        next = yield* other.arbiter.acquire("k", request)
      }
      assert.strictEqual(next._tag, "Won")
    }),
  )
})
