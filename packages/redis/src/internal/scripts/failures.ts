import * as Data from "effect/Data"

/** Redis returned a reply that no script returns. */
export class UnexpectedReply extends Data.TaggedError("UnexpectedReply")<{
  readonly reply: unknown
}> {
  override get message(): string {
    return `unexpected reply of Redis: ${shown(this.reply)}`
  }
}

const shown = (reply: unknown): string => {
  const text =
    reply instanceof Uint8Array
      ? `${reply.byteLength} bytes`
      : Array.isArray(reply)
        ? `[${reply.map(shown).join(", ")}]`
        : String(reply)
  return text.length > 200 ? `${text.slice(0, 197)}...` : text
}

/** Bytes without an envelope have no version and cannot be ordered. */
export class NoEnvelope extends Data.TaggedError("NoEnvelope") {
  override get message(): string {
    return "the bytes are not an envelope of format 1 with a version"
  }
}

/** The request reached Redis too late twice in a row and was not run. */
export class Late extends Data.TaggedError("Late") {
  override get message(): string {
    return "the operation reached Redis too late and was not applied"
  }
}
