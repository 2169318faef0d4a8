/** What a command answered. An error is a value here: it may stand inside an array. */
export type Reply = string | number | null | ReplyError | ReadonlyArray<Reply>

/** An error as the server words it: `WRONGTYPE Operation against a key ...`. */
export interface ReplyError {
  readonly error: string
}
