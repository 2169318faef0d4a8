/**
 * Faults that the larder once had, found by `pnpm torture`; a few edits of its sources bring each back. A
 * test fails when changed source lines no longer fit an edit.
 */
import type { Edit } from "./copy.ts"

export interface OldFault {
  /** The effect that callers saw. */
  readonly what: string
  readonly edits: ReadonlyArray<Edit>
}

const core = "packages/core/src/internal"

export const oldFaults = {
  "shared-read": {
    what: "a `read` gets the answer of one that began before its node's own change",
    edits: [
      {
        file: `${core}/write/follow.ts`,
        from: `      engine.reads.hear(k)
`,
        to: ``,
      },
    ],
  },
  "left-lookup": {
    what: "a key of a `getMany` that was left is looked up for nobody, and kept over a later change",
    edits: [
      {
        file: `${core}/state/flightTable.ts`,
        from: `    flight.isAbandoned = true
`,
        to: ``,
      },
    ],
  },
  "cap-per-hit": {
    what: "maxFreshFor of memory begins anew at each hit in SQLite, which is in front of Redis",
    edits: [
      {
        file: `${core}/tier/backingTier.ts`,
        from: `    if (confirmedAt !== undefined) return { ...found, confirmedAt }`,
        to: `    if (confirmedAt !== undefined) return found`,
      },
    ],
  },
  "breaker-unasked": {
    what: "requests that fail after the success of one beside them open a breaker that nothing asks any more",
    edits: [
      {
        file: `${core}/tier/guardedCalls.ts`,
        from: `        this.#isSuspect = true
        this.#told(`,
        to: `        this.#told(`,
      },
      {
        file: `${core}/tier/guardedCalls.ts`,
        from: `    return this.#guarded(operation, exit, before)
  }

  #isEcho`,
        to: `    this.#isSuspect = true
    return this.#guarded(operation, exit, before)
  }

  #isEcho`,
      },
    ],
  },
  "late-failures": {
    what: "failures of a lost connection count after it is back, and open the breaker",
    edits: [
      {
        file: `${core}/tier/guardedCalls.ts`,
        from: `    return before < this.#failuresBefore || (`,
        to: `    return this.#failuresBefore < 0 || (`,
      },
    ],
  },
  "replay-over-others-set": {
    what: "the replay of a missed change removes what another node has set since",
    edits: [
      {
        file: `${core}/recover/sendMissed.ts`,
        from: `    const at = Math.max(atLeast, place)
    return Effect.map(arbiter.writes.write(k, { _tag: "Remove", at }, 0), (written) => {`,
        to: `    if (engine.missed.key(k) !== change) return Effect.succeed(true)
    return Effect.map(arbiter.writes.write(k, { _tag: "Remove" }, 0), (written) => {`,
      },
    ],
  },
  "replay-over-own-set": {
    what: "the replay of a missed change removes what the same node has set since",
    edits: [
      {
        file: `${core}/recover/sendMissed.ts`,
        from: `    const at = Math.max(atLeast, place)`,
        to: `    const at = Math.max(atLeast, place, engine.versions.known(k) + 1)`,
      },
    ],
  },
  "settled-before-earlier": {
    what: "a change counts as settled while earlier changes of its node wait",
    edits: [
      {
        file: `${core}/write/ack.ts`,
        from: `  Effect.flatMap(caughtUp, (isCaughtUp) =>
    isCaughtUp ? writtenUpTo(engine, queuedBefore) : Effect.succeed(false),
  )`,
        to: `  Effect.suspend(() => (caughtUp === undefined ? Effect.succeed(false) : writtenUpTo(engine, queuedBefore)))`,
      },
    ],
  },
  "marks-forgotten": {
    what: "missed marks are sent one by one, each time the first is forgotten, though others may have taken its place",
    edits: [
      {
        file: `${core}/recover/sendMissed.ts`,
        from: `    const { marks } = engine.missed
    for (const keepStale of [false, true]) {
      const ofKind = marks.filter((mark) => mark.keepStale === keepStale)
      if (ofKind.length === 0) continue
      if (!(yield* sendMarks(engine, arbiter, ofKind, keepStale))) return false
    }
`,
        to: `    for (let [mark] = engine.missed.marks; mark !== undefined; [mark] = engine.missed.marks) {
      if (!(yield* sendMarks(engine, arbiter, [mark], mark.keepStale))) return false
    }
`,
      },
      {
        file: `${core}/state/missedChanges.ts`,
        from: `    if (this.#marks.get(mark.tag) !== mark) return
    this.#marks.delete(mark.tag)
    if (mark.tag === undefined) this.keysForgotten = false`,
        to: `    const [first] = this.#marks.keys()
    this.#marks.delete(first)
    if (mark.tag === undefined || first === undefined) this.keysForgotten = false`,
      },
    ],
  },
  "place-of-last-answer": {
    what: "the place of a missed change is as far off as the last answer was slow",
    edits: [
      {
        file: `${core}/tier/tierClock.ts`,
        from: `    this.#ahead = least < most + 1 ? { least, most } : heard`,
        to: `    this.#ahead = least < most + 1 && drift === 0 ? { least, most } : heard`,
      },
    ],
  },
  "alone-for-good": {
    what: "a value that a node looked up while the arbiter did not answer it stays, beside that of the other nodes",
    edits: [
      {
        file: `${core}/flight/commit.ts`,
        from: `  if (arbiter !== undefined && !flight.arbiterAnswers) suspectOnceAnswered(engine, arbiter, flight)`,
        to: `  if (arbiter === undefined && !flight.arbiterAnswers) suspectOnceAnswered(engine, arbiter!, flight)`,
      },
    ],
  },
  "set-under-mark": {
    what: "a settled set is older, for other nodes, than a mark that its own node had not heard of",
    edits: [
      {
        file: `${core}/tier/arbiterWrites.ts`,
        from: `    if (marks.judge(entry) === "valid") return Exit.succeed({ version, asOf: entry.asOf })`,
        to: `    if (marks.last >= 0) return Exit.succeed({ version, asOf: entry.asOf })`,
      },
    ],
  },
  "queue-over-others-set": {
    what: "a value that is queued in the background wins over what another node has set since",
    edits: [
      {
        file: `${core}/write/background.ts`,
        from: `  if (!isLater) return { _tag: "Set", entry, at }`,
        to: `  if (!isLater || at > 0) return { _tag: "Set", entry }`,
      },
      {
        file: `${core}/write/background.ts`,
        from: `    if (newest > at) return yield* overtaken(engine, k, newest)
`,
        to: ``,
      },
    ],
  },
  "queue-after-expire": {
    what: "a queued value that arrives after an expire that met no value is fresh",
    edits: [
      {
        file: `${core}/arbitrate/shelf.ts`,
        from: `      const bytes = isExpired ? Envelope.expireAt(envelope, time) : envelope`,
        to: `      const bytes = isExpired && time < 0 ? Envelope.expireAt(envelope, time) : envelope`,
      },
    ],
  },
  "queue-caps-anew": {
    what: "maxFreshFor of memory begins anew whenever a value is taken from the queue",
    edits: [
      {
        file: `${core}/state/queuedCandidate.ts`,
        from: `engine.entries.freshCap(madeAt)`,
        to: `engine.entries.freshCap(Math.max(madeAt, engine.stopwatch()))`,
      },
    ],
  },
  "queue-room-lost": {
    what: "each set that waits for room takes some, and the sets of one key give it back once",
    edits: [
      {
        file: `${core}/state/writeQueue.ts`,
        from: `  #isStarting = false
  #end`,
        to: `  #isStarting = false
  #taken = 0
  #end`,
      },
      {
        file: `${core}/state/writeQueue.ts`,
        from: `this.#pending.has(k) || this.#pending.size < queuedKeys`,
        to: `this.#pending.has(k) || this.#pending.size + this.#taken < queuedKeys`,
      },
      {
        file: `${core}/state/writeQueue.ts`,
        from: `      this.#waiting.delete(waiter)
      waiter.enter()`,
        to: `      this.#waiting.delete(waiter)
      if (this.#pending.has(waiter.k)) this.#taken += 1
      waiter.enter()`,
      },
    ],
  },
  "queue-emptied": {
    what: "a queued value that the arbiter does not take at once is dropped",
    edits: [
      {
        file: `${core}/write/background.ts`,
        from: `    if (written === undefined) return "again"`,
        to: `    if (written === undefined) return yield* giveUp(engine, k, placed)`,
      },
    ],
  },
  "late-mark-unjudged": {
    what: "a late mark touches no entry where its node has numbered marks itself meanwhile",
    edits: [
      {
        file: `${core}/invalidation/marks.ts`,
        from: `    if (marks.set(mark.tag, mark.number, now)) this.judgeAgain()`,
        to: `    marks.set(mark.tag, mark.number, now)`,
      },
      {
        file: `${core}/invalidation/marks.ts`,
        from: `    if (rises.includes(true) || page.last > this.#unreadUpTo) this.judgeAgain()`,
        to: `    if (rises.length === 0) this.judgeAgain()`,
      },
    ],
  },
  "beside-after-end": {
    what: "what a tier answers after a lookup has ended is kept, though a change came in between",
    edits: [
      {
        file: `${core}/flight/adopt.ts`,
        from: `const isKept = ({ detached, isWanted }: Flight): boolean => !detached && isWanted`,
        to: `const isKept = ({ detached, isAbandoned }: Flight): boolean => !detached && !isAbandoned`,
      },
    ],
  },
  "one-server-away": {
    what: "one server of a Cluster that is away takes the others from their keys",
    edits: [
      {
        file: `${core}/tier/parts.ts`,
        from: `      return this.#partOf?.(key) ?? ""`,
        to: `      return this.#partOf === undefined || key === undefined ? "" : "all"`,
      },
    ],
  },
  "breaker-of-old-server": {
    what: "after a failover of a Cluster, the breaker of the old server stays open in stats",
    edits: [
      {
        file: `${core}/tier/parts.ts`,
        from: `      part === marksPart || this.of(lastKey) === part`,
        to: `      part === marksPart || lastKey !== part`,
      },
    ],
  },
} satisfies Readonly<Record<string, OldFault>>

export type OldFaultName = keyof typeof oldFaults
