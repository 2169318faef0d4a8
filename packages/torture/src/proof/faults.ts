/**
 * Faults that the larder once had; a few edits of its sources bring each back. A test fails when
 * changed source lines no longer fit an edit.
 */
import type { Edit } from "@larder/mutate/copy"
import type { RuleName } from "../check/Violation.ts"

export interface OldFault {
  readonly name: string
  /** The effect that callers saw. */
  readonly what: string
  readonly edits: ReadonlyArray<Edit>
  /** The stacks and faults that show it soonest, for `--only`. */
  readonly only: string
  /** Any of these rules detects it. */
  readonly rules: ReadonlyArray<RuleName>
}

const core = "packages/core/src/internal"

const lostToReplay: ReadonlyArray<RuleName> = [
  "settled set lost to its own node's missed change",
  "settled set lost to another node's missed change",
  "settled set lost",
]

export const oldFaults: ReadonlyArray<OldFault> = [
  {
    name: "message-ignored",
    what: "a node that is told of a change keeps the older entry in its memory as fresh",
    edits: [
      {
        file: `${core}/backplane/changed.ts`,
        from: `  const older = engine.entries.outdate(key, version, isRemoval, engine.now())
`,
        to: `  const older = undefined
`,
      },
    ],
    only: "memory+redis,block",
    rules: ["fresh although it was told", "fresh although nothing was in the way"],
  },
  {
    name: "marks-forgotten",
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
    only: "memory+redis,flood",
    rules: [
      "stale given as fresh",
      "fresh although nothing was in the way",
      "settled although earlier changes wait",
      "nodes disagree",
    ],
  },
  {
    name: "cap-per-hit",
    what: "maxFreshFor of memory begins anew at each hit in SQLite, which is in front of Redis",
    edits: [
      {
        file: `${core}/tier/backingTier.ts`,
        from: `    if (confirmedAt !== undefined) return { ...found, confirmedAt }`,
        to: `    if (confirmedAt !== undefined) return found`,
      },
    ],
    // A node that hears of the change needs no bound.
    only: "memory+sqlite+redis,deaf",
    rules: ["stale given as fresh"],
  },
  {
    name: "replay-over-own-set",
    what: "the replay of a missed change removes what the same node has set since",
    edits: [
      {
        file: `${core}/recover/sendMissed.ts`,
        from: `    const at = Math.max(change.atLeast, place ?? 0)`,
        to: `    const at = Math.max(change.atLeast, place ?? 0, engine.versions.known(k) + 1)`,
      },
    ],
    only: "memory+redis,cut",
    rules: lostToReplay,
  },
  {
    name: "replay-over-others-set",
    what: "the replay of a missed change removes what another node has set since",
    edits: [
      {
        file: `${core}/recover/sendMissed.ts`,
        from: `    const at = Math.max(change.atLeast, place ?? 0)
    return Effect.map(arbiter.writes.write(k, { _tag: "Remove", at }, 0), (written) => {`,
        to: `    if (engine.missed.key(k) !== change) return Effect.succeed(true)
    return Effect.map(arbiter.writes.write(k, { _tag: "Remove" }, 0), (written) => {`,
      },
    ],
    only: "memory+redis,cut",
    rules: lostToReplay,
  },
  {
    name: "queue-over-others-set",
    what: "a value that is queued in the background wins over what another node has set since",
    edits: [
      {
        file: `${core}/write/background.ts`,
        from: `    const set = { _tag: "Set", entry: placed.entry, at } as const`,
        to: `    const set = { _tag: "Set", entry: placed.entry } as const`,
      },
      {
        file: `${core}/write/background.ts`,
        from: `    if (newest > at) return yield* overtaken(engine, k, newest)
`,
        to: "",
      },
    ],
    only: "memory+redis,queue,delay",
    rules: [
      "stale given as fresh",
      "fresh although it was told",
      "fresh although nothing was in the way",
      "nodes disagree",
      "settled set lost",
    ],
  },
]
