/** The ways in which a larder itself, not its upstream, can fail a caller. */
import * as Data from "effect/Data"
import * as Schema from "effect/Schema"

/** A lookup took longer than the policy's `hardTimeout`, and nothing stale could be given. */
export class LookupTimeout extends Schema.TaggedError<LookupTimeout>()("LookupTimeout", {
  larder: Schema.String,
  key: Schema.String,
  millis: Schema.Finite,
}) {
  override get message(): string {
    return `${this.larder}: the lookup of ${JSON.stringify(this.key)} took longer than ${this.millis} ms (Policy hardTimeout)`
  }
}

/**
 * The key cannot be used: longer than 1,024 bytes of UTF-8, with control
 * characters or lone surrogates, or not a string or number while there is no `key` function.
 */
export class InvalidKey extends Schema.TaggedError<InvalidKey>()("InvalidKey", {
  larder: Schema.String,
  key: Schema.String,
  reason: Schema.String,
}) {
  override get message(): string {
    return `${this.larder}: ${this.key} cannot be a key: ${this.reason}`
  }
}

/** The bulk lookup answered without this key. Other keys of the same call are not touched by it. */
export class KeyNotReturned extends Schema.TaggedError<KeyNotReturned>()("KeyNotReturned", {
  larder: Schema.String,
  key: Schema.String,
}) {
  override get message(): string {
    return `${this.larder}: the bulk lookup did not return ${JSON.stringify(this.key)}`
  }
}

/** What `get` can fail with beside the upstream's own error. */
export type LarderError = LookupTimeout | InvalidKey

/** A defect, not an error: the larder's scope is closed. Waiters get it too, rather than an interruption. */
export class LarderClosed extends Data.TaggedError("LarderClosed")<{ readonly larder: string }> {
  override get message(): string {
    return `${this.larder} is closed: its scope has ended`
  }
}

/** A defect: a lookup was interrupted from inside. Its callers were not, so they get this. */
export class LookupInterrupted extends Data.TaggedError("LookupInterrupted")<{
  readonly larder: string
  readonly key: string
}> {
  override get message(): string {
    return `${this.larder}: the lookup of ${JSON.stringify(this.key)} interrupted itself`
  }
}

/**
 * A defect: a function among the options (`tags`, `etag`, `revision`, an adaptive
 * `policy`, the memory tier's `weigh`, ...) threw, or gave what it may not give.
 * A caller meets it in `set`, which then changes nothing. A lookup gives its value
 * all the same, and does not keep it; a stored entry counts as undecodable.
 */
export class OptionFailed extends Data.TaggedError("OptionFailed")<{
  readonly larder: string
  /** The option's name. */
  readonly option: string
  readonly reason: string
  /** What the function threw, if it threw. */
  readonly cause: unknown
}> {
  override get message(): string {
    return `${this.larder}: the option ${this.option} failed: ${this.reason}`
  }
}
