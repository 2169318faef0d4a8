/**
 * The reply to a command. An error is a value here: it may be inside an array.
 *
 * @category models
 * @since 0.1.0
 */
export type Reply = string | number | null | ReplyError | ReadonlyArray<Reply>

/**
 * An error with the server's text: `WRONGTYPE Operation against a key ...`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReplyError {
  readonly error: string
}
