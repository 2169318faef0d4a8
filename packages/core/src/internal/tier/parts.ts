/**
 * The servers of a tier (parts), each with a circuit of its own. A tier on several servers can lose
 * one of them and still answer for the keys of the others.
 */
import type { TierSteps } from "./guardedCalls.ts"
import { serversPerTier } from "../runtime/limits.ts"

/** By part: the indexes of its keys in a request. */
export type Places = ReadonlyMap<string, ReadonlyArray<number>>

export class TierParts {
  readonly #partOf: ((key: string | undefined) => string) | undefined
  readonly #make: (part: string) => TierSteps
  readonly #parts = new Map<string, TierSteps>()
  /** The steps of a tier that is one server. */
  readonly #whole: TierSteps
  #insists = false

  /** `make` builds the steps of a part. `""`: a tier that is one server, or a key whose server is unknown. */
  constructor(
    partOf: ((key: string | undefined) => string) | undefined,
    make: (part: string) => TierSteps,
  ) {
    this.#partOf = partOf
    this.#make = make
    this.#whole = make("")
  }

  get isOne(): boolean {
    return this.#partOf === undefined
  }

  /** From now on, tries every step despite open breakers. */
  insist(): void {
    this.#insists = true
    for (const steps of [this.#whole, ...this.#parts.values()]) steps.insist()
  }

  /** The part of a key; `undefined` for the marks. */
  of(key: string | undefined): string {
    try {
      return this.#partOf?.(key) ?? ""
    } catch {
      return ""
    }
  }

  steps(part: string): TierSteps {
    if (part === "") return this.#whole
    const known = this.#parts.get(part)
    if (known !== undefined) return known
    const steps = this.#make(part)
    if (this.#insists) steps.insist()
    this.#parts.set(part, steps)
    if (this.#parts.size > serversPerTier) {
      for (const oldest of this.#parts.keys()) {
        this.#parts.delete(oldest)
        break
      }
    }
    return steps
  }

  stepsOf(key: string | undefined): TierSteps {
    const steps = this.steps(this.of(key))
    if (key !== undefined) steps.lastKey = key
    return steps
  }

  places(keys: ReadonlyArray<string>): Places {
    const places = new Map<string, Array<number>>()
    for (const [place, key] of keys.entries()) {
      const part = this.of(key)
      const others = places.get(part)
      if (others === undefined) places.set(part, [place])
      else others.push(place)
    }
    return places
  }

  /** The parts met so far, without servers whose last key has moved to another server. */
  current(): ReadonlyArray<TierSteps> {
    const marksPart = this.of(undefined)
    const isCurrent = (part: string, { lastKey }: TierSteps): boolean =>
      part === marksPart || this.of(lastKey) === part
    const parts = [...this.#parts].filter(([part, steps]) => isCurrent(part, steps))
    return [this.#whole, ...parts.map(([, steps]) => steps)]
  }
}
