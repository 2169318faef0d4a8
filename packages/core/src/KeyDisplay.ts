/**
 * How keys appear outside the process: in log lines, on spans and in recordings. A key often holds the
 * number or the address of a customer. Events stay in the process, and have the key itself; metrics never
 * have keys, and values never appear anywhere.
 *
 * @module
 * @category cache
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Redacted from "effect/Redacted"
import { InvalidOptions } from "./InvalidOptions.ts"
import { hashedWith as hashedWithBytes, showKeyBy } from "./internal/observe/keyDisplay.ts"

/**
 * How keys appear outside the process.
 *
 * - `"hashed"`: the first 12 hexadecimal digits of an HMAC-SHA-256 by a secret of this process. Equal keys
 *   of one process have equal texts, and nobody outside can tell the key. {@link hashedWith} takes a secret
 *   of yours, so that all processes agree.
 * - `"shown"`: the key itself.
 * - `"hidden"`: not at all.
 * - A function of the key. What it throws on is hidden.
 *
 * @category models
 * @since 0.1.0
 */
export type KeyDisplay = "hashed" | "shown" | "hidden" | ((key: string) => string)

/**
 * How the larders made below it show keys outside the process. Default: `"hashed"`.
 *
 * **When to use**
 *
 * Provide `"shown"` where keys are harmless, such as numbers of products, and `hashedWith` where the lines
 * of several processes must agree. Provide it to the layer of a larder, or around `Larder.make`.
 *
 * **Details**
 *
 * Read when a larder is made. The hash is computed only for a span that a tracer samples and for a line
 * that a logger gets. Anything else than a {@link KeyDisplay} is a defect at `make`, `InvalidOptions`.
 *
 * **Gotchas**
 *
 * A larder's errors have the key as a member, as its events do, and not in their messages: what you log of
 * the members yourself, this does not change.
 *
 * **Example**
 *
 * ```ts
 * import { KeyDisplay, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Effect, Tracer } from "effect"
 * import * as assert from "node:assert"
 *
 * const lengths = Larder.make({
 *   name: "lengths",
 *   upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }),
 *   policy: Policy.make({ freshFor: "1 minute" }),
 * })
 * const spans: Array<Tracer.Span> = []
 * const tracer = Tracer.make({
 *   span: (options) => {
 *     const span = new Tracer.NativeSpan(options)
 *     spans.push(span)
 *     return span
 *   },
 * })
 * await Effect.runPromise(
 *   Effect.flatMap(lengths, (larder) => larder.get("milk")).pipe(
 *     Effect.provide(TierStack.layer(MemoryTier.layer())),
 *     Effect.provideService(KeyDisplay.KeyDisplay, (key) => `${key.length} characters`),
 *     Effect.withTracer(tracer),
 *     Effect.scoped,
 *   ),
 * )
 * assert.strictEqual(spans[0]?.attributes.get("larder.key"), "4 characters")
 * ```
 *
 * @category references
 * @since 0.1.0
 */
export const KeyDisplay: Context.Reference<KeyDisplay> = Context.Reference<KeyDisplay>(
  "@larder/core/KeyDisplay",
  { defaultValue: () => "hashed" },
)

const mustBeSecret = "be a non-empty text or a Redacted one, such as one of your configuration"

/**
 * As `"hashed"`, with a secret of yours: every process with the secret shows a key as the same text, also
 * after a restart.
 *
 * **When to use**
 *
 * Use where lines and spans of several processes must be brought together. Whoever has the secret can test
 * whether a text stands for a key that they guess.
 *
 * **Gotchas**
 *
 * Throws `InvalidOptions` for an empty secret.
 *
 * **Example**
 *
 * ```ts
 * import { KeyDisplay } from "@larder/core"
 * import { Redacted } from "effect"
 * import * as assert from "node:assert"
 *
 * const display = KeyDisplay.hashedWith(Redacted.make("a secret of the deployment"))
 * assert.strictEqual(display("customer-7"), "2c4cbfdba38a")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const hashedWith = (
  secret: string | Redacted.Redacted<string>,
): ((key: string) => string) => {
  const text: unknown = Redacted.isRedacted(secret) ? Redacted.value(secret) : secret
  if (typeof text === "string" && text !== "")
    return hashedWithBytes(new TextEncoder().encode(text))
  throw InvalidOptions.of({
    module: "KeyDisplay",
    field: "hashedWith",
    must: mustBeSecret,
    // The secret is never shown.
    got: typeof text === "string" ? text : Redacted.make(text),
  })
}

/**
 * The text of a key outside the process; undefined where it is hidden.
 *
 * **When to use**
 *
 * Use in a recorder or an exporter of your own, such as one of `larder.events`, with the display that
 * `yield* KeyDisplay.KeyDisplay` returns.
 *
 * **Example**
 *
 * ```ts
 * import { KeyDisplay } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.strictEqual(KeyDisplay.show("shown", "milk"), "milk")
 * assert.strictEqual(KeyDisplay.show("hidden", "milk"), undefined)
 * assert.match(KeyDisplay.show("hashed", "milk") ?? "", /^[0-9a-f]{12}$/)
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const show = (display: KeyDisplay, key: string): string | undefined =>
  showKeyBy(display)(key)
