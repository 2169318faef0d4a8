/** Keys by a schema: the encoding is the key as tiers store it, and the decoding gives keys back. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"

/**
 * A schema of keys, for the option `key` of a larder: it encodes each key as a string, at once and without
 * services. Such are `Schema.String`, `Schema.FiniteFromString`, and `Schema.fromJsonString` of a class.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeySchema<out K> extends Schema.ConstraintCodec<K, string> {}

/** Tells a schema from a `key` function. A schema may be a class, which is a function too. */
export const isKeySchema = <K>(
  key: ((key: K) => string) | KeySchema<K> | undefined,
): key is KeySchema<K> => Schema.isSchema(key)

/** Whether all that a schema encodes is a string. */
export const isEncodedAsText = (schema: Schema.Constraint): boolean =>
  isText(SchemaAST.toEncoded(schema.ast), new Set())

const isText = (ast: SchemaAST.AST, within: Set<SchemaAST.AST>): boolean => {
  // A schema that is defined by itself alone encodes nothing.
  if (within.has(ast)) return false
  switch (ast._tag) {
    case "String":
    case "TemplateLiteral":
      return true
    case "Literal":
      return typeof ast.literal === "string"
    case "Enum":
      return ast.enums.every(([, value]) => typeof value === "string")
    case "Union":
      return ast.types.every((type) => isText(type, within))
    case "Suspend":
      return isText(ast.thunk(), within.add(ast))
    default:
      return false
  }
}

/** Encodes a key. Code of a schema may throw. */
const encoderOf = (schema: KeySchema<unknown>): ((key: unknown) => Exit.Exit<string, unknown>) => {
  const encode = Schema.encodeUnknownExit(schema)
  return (key) => {
    try {
      return encode(key)
    } catch (thrown) {
      return Exit.die(thrown)
    }
  }
}

/** Keys by a schema; undefined where it does not encode one. */
export const encodedBy = (schema: KeySchema<unknown>): ((key: unknown) => string | undefined) => {
  const encode = encoderOf(schema)
  return (key) => {
    const exit = encode(key)
    return Exit.isSuccess(exit) ? exit.value : undefined
  }
}

/** Why {@link encodedBy} returned undefined. */
export const problemOf = (schema: KeySchema<unknown>): ((key: unknown) => string) => {
  const encode = encoderOf(schema)
  return (key) => {
    const exit = encode(key)
    const error = Exit.isSuccess(exit) ? "it does not do so each time" : Cause.squash(exit.cause)
    const why = error instanceof Error ? error.message : String(error)
    // A reason is one line; the message of a schema has the path of an issue in a second one.
    return `the \`key\` schema does not encode it: ${why.replaceAll(/\s*\n\s*/g, " ")}`
  }
}
