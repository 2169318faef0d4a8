/**
 * The health of a tier server by server. A tier that keeps its keys on several
 * servers can lose one of them and answer for the keys of all others.
 */
import type { TierSteps } from "./guardedCalls.ts"

/** Servers come and go: beyond this many the one met first is forgotten, and begins as healthy again. */
const maxParts = 256

/** Where keys are in the question, by the part that has them. */
export type Places = ReadonlyMap<string, ReadonlyArray<number>>

export class TierParts {
  readonly #partOf: ((key: string | undefined) => string) | undefined
  readonly #make: (part: string) => TierSteps
  readonly #parts = new Map<string, TierSteps>()
  /** Of a tier that is one server. */
  readonly #whole: TierSteps
  #insists = false

  /** `make` builds the steps of a part; `""` is a tier that is one server, or a key whose server is not known. */
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

  /** From now on every step is tried, though a breaker is open. */
  insist(): void {
    this.#insists = true
    for (const steps of [this.#whole, ...this.#parts.values()]) steps.insist()
  }

  /** The part that a key is on; `undefined` asks for the marks. */
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
    if (this.#parts.size > maxParts) {
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

  /** Those that were met so far, but for servers that have handed over what they were asked for last: nobody asks them any more. */
  current(): ReadonlyArray<TierSteps> {
    const marksPart = this.of(undefined)
    const isCurrent = (part: string, { lastKey }: TierSteps): boolean =>
      part === marksPart || this.of(lastKey) === part
    const parts = [...this.#parts].filter(([part, steps]) => isCurrent(part, steps))
    return [this.#whole, ...parts.map(([, steps]) => steps)]
  }
}
