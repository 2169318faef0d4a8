/** A worker's session, from the collected tests to its end. */
import { connect } from "node:net"
import { performance } from "node:perf_hooks"
import { inspect } from "node:util"
import { make } from "./execute.ts"
import { pause } from "./limited.ts"
import {
  type Answer,
  lines,
  type Measured,
  type Planned,
  type Request,
  send as sendTo,
} from "./protocol.ts"
import type { Settings } from "./settings.ts"
import type { Collected } from "./suites.ts"
import { type Switchboard, takeCovered } from "./switchboard.ts"

type Prepare = Parameters<typeof make>[1]

/** The timeout of a test without a mutant, ms: longer than Vitest's own, which ends the test first. */
const ampleMillis = 120_000
/** The shortest interval between two signs of life, ms. */
const aliveEvery = 200
/** An event loop busier than this means that code started by a mutant still runs. */
const busy = 0.5

const runsOn = async (): Promise<boolean> => {
  const before = performance.eventLoopUtilization()
  await pause(30)
  return performance.eventLoopUtilization(before).utilization > busy
}

export interface Loaded {
  readonly tests: ReadonlyArray<Collected>
  /** Test files that failed to load. */
  readonly broken: ReadonlyArray<string>
  readonly board: Switchboard
  readonly prepare: Prepare
}

/** Answers requests until the command disconnects. */
export const serve = (settings: Settings, loaded: Loaded): Promise<void> => {
  const { board, broken, prepare, tests } = loaded
  const byKey = new Map(tests.map(({ key, test }) => [key, test]))
  const executor = make(board, prepare)
  const socket = connect(settings.socket)
  const send = (answer: Answer) => sendTo(socket, answer)

  let said = 0
  const alive = () => {
    const now = performance.now()
    if (now - said < aliveEvery) return
    said = now
    send({ _tag: "Alive" })
  }

  const measureOne = async ({ key, test }: Collected): Promise<Measured> => {
    alive()
    takeCovered(board)
    const began = performance.now()
    const outcome = await executor.run(test, ampleMillis)
    const millis = performance.now() - began
    return {
      key,
      file: test.file.name,
      millis,
      passed: outcome === "passed",
      covered: takeCovered(board),
    }
  }

  const measure = async (): Promise<Answer> => {
    const measured: Array<Measured> = []
    for (const each of tests) measured.push(await measureOne(each))
    return { _tag: "Measured", tests: measured }
  }

  /** Whether the test that noticed the mutant passes without it, and a timed-out test has ended. */
  const isSound = async ({ key, limit }: Planned, timedOut: boolean): Promise<boolean> => {
    board.active = 0
    const outcome = await executor.run(byKey.get(key)!, limit)
    return outcome === "passed" && !(timedOut && (await runsOn()))
  }

  const tryOut = async (mutant: number, planned: ReadonlyArray<Planned>): Promise<Answer> => {
    for (const each of planned) {
      const test = byKey.get(each.key)
      if (test === undefined) continue
      alive()
      board.active = mutant
      const outcome = await executor.run(test, each.limit)
      if (outcome !== "passed") {
        const timedOut = outcome === "timedOut"
        const sound = settings.active === 0 && (await isSound(each, timedOut))
        return { _tag: "Noticed", by: each.key, timedOut, sound }
      }
    }
    board.active = 0
    return { _tag: "Survived" }
  }

  const answer = (request: Request): Promise<Answer> =>
    request._tag === "Measure" ? measure() : tryOut(request.mutant, request.tests)

  send({ _tag: "Ready", worker: settings.worker, loaded: takeCovered(board), broken })
  return new Promise((resolve) => {
    const broken = (error: unknown) => send({ _tag: "Broken", reason: inspect(error) })
    const take = lines((line) => void answer(JSON.parse(line) as Request).then(send, broken))
    socket.setEncoding("utf8").on("data", take)
    socket.on("error", () => undefined)
    socket.on("close", () => void executor.close().finally(resolve))
  })
}
