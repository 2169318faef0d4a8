/** A client and a larder over Redis that are never closed keep no process alive; callers that wait do. */
import { it } from "@effect/vitest"
import * as RedisServer from "@larder/testing/RedisServer"
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import type * as RedisClient from "../src/RedisClient.ts"
import * as liar from "./support/liar.ts"
import { nodesOf } from "./support/topologies.ts"
import { redisSuite } from "./support/withRedis.ts"

const script = fileURLToPath(new URL("support/ending.ts", import.meta.url))

interface Ended {
  readonly said: ReadonlyArray<unknown>
  readonly code: number | null
  /** From the last line to the end, ms. */
  readonly lingered: number
  readonly complained: string
}

/** ms. A process takes long to begin on a busy machine. */
const patience = 90_000

/** ms from the last line of a program to its end. A busy machine ends a process late. */
const atMost = 3_000

class Program {
  readonly #child: ChildProcess
  readonly said: Array<unknown> = []
  #lastAt = Date.now()
  #complained = ""
  readonly ended: Effect.Effect<Ended>

  constructor(options: RedisClient.Options, ...names: ReadonlyArray<string>) {
    this.#child = spawn(process.execPath, [script, JSON.stringify(options), ...names])
    this.#child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.#lastAt = Date.now()
      for (const line of text.split("\n")) {
        if (line.startsWith("=> ")) this.said.push(JSON.parse(line.slice(3)))
      }
    })
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.#complained += text
    })
    const exited = new Promise<number | null>((resolve) => {
      this.#child.once("close", (code) => resolve(code))
    })
    this.ended = Effect.promise(() => exited).pipe(
      Effect.map((code) => ({
        said: this.said,
        code,
        lingered: Date.now() - this.#lastAt,
        complained: this.#complained,
      })),
      Effect.timeoutOrElse({
        duration: patience,
        orElse: () => Effect.die(new Error(`did not end; said ${JSON.stringify(this.said)}`)),
      }),
      Effect.ensuring(Effect.sync(() => this.#child.kill("SIGKILL"))),
    )
  }

  /** Waits until the program has come so far. */
  whenever(isSo: Effect.Effect<boolean>): Effect.Effect<void> {
    return isSo.pipe(
      Effect.tap(Effect.sleep("20 millis")),
      Effect.repeat({ until: (so) => so }),
      Effect.timeout(patience),
      Effect.orDie,
      Effect.asVoid,
    )
  }
}

const run = (options: RedisClient.Options, ...names: ReadonlyArray<string>) =>
  new Program(options, ...names).ended

const endsWith = (
  options: RedisClient.Options,
  expected: Readonly<Record<string, unknown>>,
): Effect.Effect<void> =>
  Effect.map(run(options, ...Object.keys(expected)), ({ code, complained, lingered, said }) => {
    assert.deepStrictEqual([said, code], [Object.values(expected), 0], complained)
    assert.isBelow(lingered, atMost)
  })

const over = { timeout: 2 * patience, concurrent: true }

/** The programs that end with their work, and what they say. */
const open = {
  client: "connecting",
  ping: "PONG",
  tier: [true, "set", "of b"],
  "tier after a while": "set",
  backplane: "set again",
  "subscription in the background": "subscribed",
}

/** What they say without a server. */
const away = { tier: [false, "set", "of b"], backplane: "set again" }

redisSuite("a process with a client that is not closed", () => {
  it.live(
    "law 22: ends by itself over one server, and what was stored is there",
    () =>
      Effect.gen(function* () {
        const { cli, port } = yield* RedisServer.start()
        // A name with several addresses, on most machines.
        yield* endsWith({ host: "localhost", port }, open)
        const names = (yield* cli("KEYS", "larder:*")) as ReadonlyArray<string>
        assert.isTrue(
          names.some((name) => name.includes("{b}")),
          names.join(),
        )
      }),
    over,
  )

  it.live(
    "law 22: ends by itself over Sentinel",
    () =>
      Effect.gen(function* () {
        const pair = yield* RedisServer.startReplicated()
        const options = { sentinels: nodesOf(pair.sentinels), name: pair.name }
        yield* endsWith(options, open)
        const [first, ...others] = pair.sentinels
        yield* first!.freeze
        for (const sentinel of others) yield* sentinel.kill()
        yield* endsWith(options, away)
        yield* first!.kill()
        // Attempts that follow one another closely: none may hold the process until the next.
        yield* endsWith({ ...options, reconnect: { base: 10, max: 40 } }, away)
      }),
    over,
  )

  it.live(
    "law 22: ends by itself over a Cluster",
    () =>
      Effect.gen(function* () {
        const { masters } = yield* RedisServer.startCluster()
        const options = { cluster: { nodes: nodesOf(masters) } }
        yield* endsWith(options, open)
        for (const master of masters) yield* master.kill()
        yield* endsWith(options, away)
      }),
    over,
  )

  it.live(
    "law 22: ends by itself while the server is away",
    () =>
      Effect.gen(function* () {
        const server = yield* RedisServer.start()
        yield* server.kill()
        yield* endsWith({ url: server.url }, away)
      }),
    over,
  )

  it.live(
    "law 22: ends by itself while the server loads its data",
    () =>
      Effect.gen(function* () {
        const server = yield* RedisServer.start()
        const between = yield* liar.start(server.port)
        yield* between.tell((said) =>
          Buffer.from(said.toString("latin1").replace("loading:0", "loading:1"), "latin1"),
        )
        yield* endsWith({ host: "127.0.0.1", port: between.port }, away)
      }),
    over,
  )

  it.live(
    "law 22: ends by itself while the server is frozen",
    () =>
      Effect.gen(function* () {
        const server = yield* RedisServer.start()
        const program = new Program({ url: server.url, ...brief }, "tier after a while")
        yield* program.whenever(
          Effect.map(Effect.orDie(server.calls), (calls) => (calls.get("subscribe") ?? 0) > 0),
        )
        yield* server.freeze
        const { code, lingered, said } = yield* program.ended
        // What is in memory may have changed unheard.
        assert.include(["set", "of a"], said[0])
        assert.strictEqual(code, 0)
        assert.isBelow(lingered, atMost)
      }),
    over,
  )

  it.live(
    "law 9: lives on while a command waits for its reply",
    () =>
      Effect.gen(function* () {
        const { url } = yield* RedisServer.start()
        const { said } = yield* run({ url }, "blocked", "blocking command", "a reply too late")
        assert.deepStrictEqual(said.slice(0, 2), [null, null])
        assert.propertyVal(said[2], "reason", "Timeout")
      }),
    over,
  )

  it.live(
    "law 9: lives on while a call waits for a frozen server, until its deadline",
    () =>
      Effect.gen(function* () {
        const server = yield* RedisServer.start()
        yield* server.freeze
        const { code, said } = yield* run(
          { url: server.url },
          "waits for the tier",
          "waits for a deadline",
          "unavailable",
        )
        assert.deepStrictEqual([said[0], code], [["of a", false], 0])
        assert.propertyVal(said[1], "value", "of a")
        assert.propertyVal(said[2], "reason", "Unavailable")
      }),
    over,
  )

  it.live(
    "lives on with a subscription of its own, also through a reconnect, and ends with it",
    () =>
      Effect.gen(function* () {
        const server = yield* RedisServer.start()
        const program = new Program({ url: server.url }, "subscription")
        yield* program.whenever(Effect.sync(() => program.said.length > 0))
        yield* server.restart()
        const { code, said } = yield* program.ended
        assert.deepStrictEqual([said, code], [["subscribed", ["Lost", "Subscribed"]], 0])
      }),
    over,
  )
})

const brief = {
  commandTimeout: 250,
  connectTimeout: 500,
  heartbeat: 250,
} as const
