/** Names of nodes: each is that of one node of a timeline at a time. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

const taken = new WeakMap<object, Set<string>>()

const nameOf = (index: number): string =>
  index < 26 ? String.fromCodePoint("A".codePointAt(0)! + index) : `N${index + 1}`

/** The first name that no node of the timeline has. It is free again when the scope closes. */
export const freeName = (timeline: object): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const names = taken.get(timeline) ?? new Set()
      taken.set(timeline, names)
      let index = 0
      while (names.has(nameOf(index))) index += 1
      names.add(nameOf(index))
      return nameOf(index)
    }),
    (name) => Effect.sync(() => taken.get(timeline)?.delete(name)),
  )
