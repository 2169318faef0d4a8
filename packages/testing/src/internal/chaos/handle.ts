/** Which faults are on, by place, and the chance that they draw from. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import { reorderMillis } from "../limits.ts"
import { type Applied, checked, faultText, type Given, type Kind } from "./faults.ts"
import type { Distribution } from "./latency.ts"

/**
 * The defect of setting faults where nothing has this name.
 *
 * **Example**
 *
 * ```ts
 * import { Chaos } from "@larder/testing"
 * import * as assert from "node:assert"
 *
 * const error = new Chaos.NoSuchPlace({ message: "no tier is called redis" })
 * assert.strictEqual(error._tag, "NoSuchPlace")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class NoSuchPlace extends Schema.TaggedError<NoSuchPlace>()("NoSuchPlace", {
  message: Schema.String,
}) {}

/** The way of messages to one receiver. */
type Way = Pick<Applied["messages"], "lose" | "duplicate" | "delay" | "reorder">

export class ChaosHandle {
  readonly #random: Random.Random
  readonly #note: (text: string) => void
  readonly #places = new Map<Kind, Set<string>>()
  readonly #faults = new Map<Kind, Map<string, object>>()
  /** The places of the subscriptions of each larder to a shared tier, in their order. */
  readonly #subscribers = new Map<string, Array<string>>()

  constructor(random: Random.Random, note: (text: string) => void) {
    this.#random = random
    this.#note = note
  }

  /** Makes a place known; `faults` are on until others are set. */
  register<K extends Kind>(
    kind: K,
    node: string,
    name: string,
    faults: Given[K] | undefined,
  ): string {
    const place = `${node}/${name}`
    const places = this.#places.get(kind) ?? new Set()
    this.#places.set(kind, places.add(place))
    // A node that begins again finds the faults as they are.
    if (faults !== undefined && this.#at(kind).get(place) === undefined) {
      this.#at(kind).set(place, checked(kind, faults))
    }
    return place
  }

  #at(kind: Kind): Map<string, object> {
    const known = this.#faults.get(kind) ?? new Map<string, object>()
    this.#faults.set(kind, known)
    return known
  }

  /** Sets the faults of one place (`A/shared`), or of a name on every node (`shared`). */
  set<K extends Kind>(kind: K, name: string, faults: Given[K]): void {
    const places = [...(this.#places.get(kind) ?? [])]
    const meant = places.filter((place) => place === name || nameOf(place) === name)
    if (meant.length === 0) {
      const known = places.length === 0 ? "there is none" : `there are ${places.join(", ")}`
      throw new NoSuchPlace({
        message: `Chaos: no ${kind} is called ${name}; ${known}. A name is that of a Chaos.${arounds[kind]}, alone or after its node`,
      })
    }
    const applied = checked(kind, faults)
    for (const place of meant) this.#at(kind).set(place, applied)
    this.#note(`chaos ${kind} ${name}: ${faultText(faults)}`)
  }

  calm(): void {
    this.#faults.clear()
    // Initial faults must not come back where a node begins again.
    for (const [kind, places] of this.#places) {
      for (const place of places) this.#at(kind).set(place, {})
    }
    this.#note("chaos: calm")
  }

  of<K extends Kind>(kind: K, place: string): Applied[K] {
    return (this.#faults.get(kind)?.get(place) ?? {}) as Applied[K]
  }

  subscribes(larder: string, place: string): void {
    const known = this.#subscribers.get(larder) ?? []
    this.#subscribers.set(larder, [...known, place])
  }

  /** The place of a subscription, which has a number from 1 on. */
  subscriber(larder: string, number: number): string | undefined {
    return this.#subscribers.get(larder)?.[number - 1]
  }

  /** Whether something of this share happens now. Draws nothing for what is off. */
  happens(share: number | undefined): boolean {
    return share !== undefined && share > 0 && this.#random.nextDoubleUnsafe() < share
  }

  /** ms. What is not above 0 is no time. */
  draw(distribution: Distribution | undefined): number {
    return distribution === undefined ? 0 : distribution(1 - this.#random.nextDoubleUnsafe())
  }

  /** Waits as long as `latency` says. */
  pause(latency: Distribution | undefined): Effect.Effect<void> {
    return Effect.suspend(() => {
      const millis = this.draw(latency)
      return millis > 0 ? Effect.sleep(Duration.millis(millis)) : Effect.void
    })
  }

  /** After how many milliseconds each copy of a message arrives. */
  delays({ delay, duplicate, lose, reorder }: Way): ReadonlyArray<number> {
    if (this.happens(lose)) return []
    const held = this.happens(reorder) ? this.draw(upToASecond) : 0
    const first = this.draw(delay) + held
    return this.happens(duplicate) ? [first, first + this.draw(upToASecond)] : [first]
  }

  /** A copy of the bytes in which one byte is another. */
  damaged(bytes: Uint8Array): Uint8Array {
    const copy = new Uint8Array(bytes)
    const at = Math.floor(this.#random.nextDoubleUnsafe() * copy.length)
    const change = 1 + Math.floor(this.#random.nextDoubleUnsafe() * 255)
    if (copy.length > 0) copy[at] = (copy[at] ?? 0) ^ change
    return copy
  }
}

const upToASecond: Distribution = (drawn) => drawn * reorderMillis

const nameOf = (place: string): string => place.slice(place.indexOf("/") + 1)

const arounds: { readonly [K in Kind]: string } = {
  tier: "aroundTier",
  upstream: "aroundUpstream",
  messages: "aroundTier",
  backplane: "aroundBackplane",
}
