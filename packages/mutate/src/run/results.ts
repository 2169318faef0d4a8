/** The result of trying a mutant. */
import type { Mutant } from "../source/mutant.ts"

export type Fate =
  /** `alone`: only random sequences caught it; all other tests passed. */
  | { readonly _tag: "Caught"; readonly by: string; readonly alone: boolean }
  /** A test ended late or never, or the process ended: counts as caught. */
  | { readonly _tag: "TimedOut"; readonly by: string | undefined }
  | { readonly _tag: "Survived" }
  | { readonly _tag: "NotCovered" }

export interface Result {
  readonly mutant: Mutant
  readonly fate: Fate
}

export const isCaught = ({ fate }: Result): boolean =>
  fate._tag === "Caught" || fate._tag === "TimedOut"
