/**
 * Larders of one name over one stack: in tiers that keep bytes they share entries,
 * which is hardly ever meant. Nodes that are simulated in one process have stacks
 * of their own, so they are no namesakes.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { TierStack } from "../../TierStack.ts"

type Tiers = TierStack["Service"]["tiers"]

/** More are not logged: they tell nothing new. */
const maxWarnings = 5

interface Namesakes {
  /** Those that are open, the oldest first. */
  readonly open: Set<Opened>
  warnings: number
}

/** Where a larder was made: a stack trace, which is formatted when it is needed. */
export interface Made {
  readonly stack?: string | undefined
}

/** One larder; layers that are built twice make two at one place. */
interface Opened {
  readonly made: Made
}

/** Of the code that asks a module of this package for a larder. */
export const here = (): Made => new Error("made here")

const fileOf = (frame: string): string => frame.replace(/:\d+:\d+\)?$/, "").replace(/^.*[( ]/, "")

/**
 * The first frame behind the package's module that took the trace and the one that
 * asked it to. Where all is in one bundle, that is the next frame.
 */
export const placeOf = ({ stack = "" }: Made): string => {
  const frames = stack.split("\n").filter((line) => /:\d+:\d+\)?$/.test(line))
  const [, asked] = frames
  const outside = frames.slice(2).find((frame) => fileOf(frame) !== fileOf(asked ?? ""))
  const frame = outside ?? frames[2] ?? "an unknown place"
  return frame.trim().replace(/^at /, "")
}

/** A stack that no longer exists has no larders. */
const byStack = new WeakMap<Tiers, Map<string, Namesakes>>()

const namesakesOf = (tiers: Tiers, name: string): Namesakes => {
  const byName = byStack.get(tiers) ?? new Map<string, Namesakes>()
  byStack.set(tiers, byName)
  const namesakes = byName.get(name) ?? { open: new Set(), warnings: 0 }
  byName.set(name, namesakes)
  return namesakes
}

const forget = (tiers: Tiers, name: string, own: Opened): void => {
  const namesakes = namesakesOf(tiers, name)
  namesakes.open.delete(own)
  // Names may be made as the program runs: what has nothing to remember goes.
  if (namesakes.open.size === 0 && namesakes.warnings === 0) byStack.get(tiers)?.delete(name)
}

/** Registers a larder until the scope closes; logs a warning where one of its name is open on the same stack. */
export const register = (
  tiers: Tiers,
  name: string,
  made: Made,
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.suspend(() => {
    const sharing = tiers.filter(({ kind }) => kind === "bytes").map((tier) => tier.name)
    if (sharing.length === 0) return Effect.void
    const namesakes = namesakesOf(tiers, name)
    const [other] = namesakes.open
    const own: Opened = { made }
    namesakes.open.add(own)
    const closing = Effect.addFinalizer(() => Effect.sync(() => forget(tiers, name, own)))
    if (other === undefined || namesakes.warnings >= maxWarnings) return closing
    namesakes.warnings += 1
    const text =
      `${name}: two larders of this name are open on one TierStack and share entries in ${sharing.join(", ")}. ` +
      `One was made at ${placeOf(other.made)}, the other at ${placeOf(made)}. ` +
      "Give each larder a name of its own, or make one and provide it to both"
    return Effect.andThen(Effect.annotateLogs(Effect.logWarning(text), { larder: name }), closing)
  })
