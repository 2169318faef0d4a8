/**
 * Faults that the larder once had; a few edits of its sources bring each back. A test fails when
 * changed source lines no longer fit an edit.
 */
import { type OldFault as Shared, oldFaults as shared } from "@larder/mutate/oldFaults"
import type { RuleName } from "../check/Violation.ts"

export interface OldFault extends Shared {
  readonly name: string
  /** The stacks and faults that show it soonest, for `--only`. */
  readonly only: string
  /** Any of these rules detects it. */
  readonly rules: ReadonlyArray<RuleName>
}

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
        file: "packages/core/src/internal/backplane/changed.ts",
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
    ...shared["marks-forgotten"],
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
    ...shared["cap-per-hit"],
    // A node that hears of the change needs no bound.
    only: "memory+sqlite+redis,deaf",
    rules: ["stale given as fresh"],
  },
  {
    name: "replay-over-own-set",
    ...shared["replay-over-own-set"],
    only: "memory+redis,cut",
    rules: lostToReplay,
  },
  {
    name: "replay-over-others-set",
    ...shared["replay-over-others-set"],
    only: "memory+redis,cut",
    rules: lostToReplay,
  },
  {
    name: "queue-over-others-set",
    ...shared["queue-over-others-set"],
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
