/** Which faults are on, by place, and the chance that they draw from. */
import type { Tier } from "@larder/core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import { reorderMillis } from "../limits.ts"
import { type Applied, checked, faultText, type Given, type Kind, kinds } from "./faults.ts"
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

/** The faults of each place, by kind and place; undefined until some are given. */
type Places = { readonly [K in Kind]: Map<string, Applied[K] | undefined> }

type Receive = (message: Tier.Message) => void

export class ChaosHandle {
  readonly #random: Random.Random
  readonly #note: (text: string) => void
  readonly #places: Places = {
    tier: new Map(),
    upstream: new Map(),
    messages: new Map(),
    backplane: new Map(),
  }
  /** The places of the receivers that have subscribed to a shared tier, whichever tier it is. */
  readonly #subscribers = new WeakMap<Receive, string>()

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
    const places = this.#places[kind]
    // A node that begins again finds the faults as they are.
    const known = places.get(place)
    places.set(place, known)
    if (known === undefined && faults !== undefined) {
      places.set(place, checked(kind, faults))
      this.#note(`chaos ${kind} ${place}: ${faultText(faults)}`)
    }
    return place
  }

  /** Sets the faults of one place (`A/shared`), or of a name on every node (`shared`). */
  set<K extends Kind>(kind: K, name: string, faults: Given[K]): void {
    const places = this.#places[kind]
    const known = [...places.keys()]
    const meant = known.filter((place) => place === name || nameOf(place) === name)
    if (meant.length === 0) {
      const there =
        known.length === 0
          ? "there is none yet: make the larder, or the nodes, first"
          : `there are ${known.join(", ")}`
      throw new NoSuchPlace({
        message: `Chaos: no ${kind} is called ${name}; ${there}. A name is that of a Chaos.${kinds[kind].around}, alone or after its node`,
      })
    }
    const applied = checked(kind, faults)
    for (const place of meant) places.set(place, applied)
    this.#note(`chaos ${kind} ${name}: ${faultText(faults)}`)
  }

  calm(): void {
    // Initial faults must not come back where a node begins again.
    for (const places of Object.values(this.#places)) {
      for (const place of places.keys()) places.set(place, {})
    }
    this.#note("chaos: calm")
  }

  of<K extends Kind>(kind: K, place: string): Partial<Applied[K]> {
    return this.#places[kind].get(place) ?? {}
  }

  /** Tells the place of a receiver, before it subscribes. */
  subscribes(receive: Receive, place: string): void {
    this.#subscribers.set(receive, place)
  }

  /** The place of a receiver; undefined where it did not subscribe through a place. */
  subscriber(receive: Receive): string | undefined {
    return this.#subscribers.get(receive)
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
