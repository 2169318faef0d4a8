import * as Data from "effect/Data"

/** Redis answered what no script of ours answers. */
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

/** Bytes that are no envelope have no version, and nothing could be ordered. */
export class NoEnvelope extends Data.TaggedError("NoEnvelope") {
  override get message(): string {
    return "the bytes are no envelope of format 1 with a version"
  }
}

/** Twice in a row it took so long to reach Redis that it was not done. */
export class Late extends Data.TaggedError("Late") {
  override get message(): string {
    return "it came to Redis too late, and was not done"
  }
}
