/**
 * Warns of two larders with one name over one stack: in byte tiers they share entries, which is
 * hardly ever intended. Nodes simulated in one process have stacks of their own, so they do not
 * trigger the warning.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { TierStack } from "../../TierStack.ts"
import { writeThroughSinks } from "../observe/logSinks.ts"
import { namesakeWarnings } from "../runtime/limits.ts"

type Tiers = TierStack["Service"]["tiers"]

interface Namesakes {
  /** Open larders, oldest first. */
  readonly open: Set<Opened>
  warnings: number
}

/** Where a larder was made: a stack trace, formatted only when needed. */
export interface Made {
  readonly stack?: string | undefined
}

/** One open larder. An object of its own, since a layer built twice makes two at one place. */
interface Opened {
  readonly made: Made
}

/** The stack trace of the code that asks a module of this package for a larder. */
export const here = (): Made => new Error("made here")

const fileOf = (frame: string): string => frame.replace(/:\d+:\d+\)?$/, "").replace(/^.*[( ]/, "")

/**
 * The first frame outside the module that took the trace and the module that called it. In a bundle
 * of one file, the next frame.
 */
export const placeOf = ({ stack = "" }: Made): string => {
  const frames = stack.split("\n").filter((line) => /:\d+:\d+\)?$/.test(line))
  const [, asked] = frames
  const outside = frames.slice(2).find((frame) => fileOf(frame) !== fileOf(asked ?? ""))
  const frame = outside ?? frames[2] ?? "an unknown place"
  return frame.trim().replace(/^at /, "")
}

/** Weak: the larders of a stack are forgotten with the stack. */
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
  // Names may be generated at run time: forget names with no open larder and no warning.
  if (namesakes.open.size === 0 && namesakes.warnings === 0) byStack.get(tiers)?.delete(name)
}

/** Registers a larder until the scope closes; logs a warning if another of its name is open on the same stack. */
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
    if (other === undefined || namesakes.warnings >= namesakeWarnings) return closing
    namesakes.warnings += 1
    const text =
      `two larders of this name are open on one TierStack and share entries in ${sharing.join(", ")}. ` +
      `One was made at ${placeOf(other.made)}, the other at ${placeOf(made)}. ` +
      "Give each larder a different name, or make one larder and use it in both places"
    const annotations = { larder: name }
    if (writeThroughSinks(name, "Warn", text, annotations)) return closing
    const line = Effect.annotateLogs(Effect.logWarning(`${name}: ${text}`), annotations)
    return Effect.andThen(line, closing)
  })
