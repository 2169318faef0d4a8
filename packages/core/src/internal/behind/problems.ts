/** What is wrong with a key or a value, as a text that holds nothing of it: logs and dead letters keep it. */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { deadReasonCharacters } from "../runtime/limits.ts"
import { kindOf } from "../runtime/errorKind.ts"

/** Names of a struct's fields are shown; those of a record are a part of the value. */
const placeOf = (name: PropertyKey, within: unknown): string => {
  if (typeof name === "number") return `[${name}]`
  const fields = (within as { readonly propertySignatures?: ReadonlyArray<{ name: PropertyKey }> })
    ?.propertySignatures
  return fields?.some((field) => field.name === name) === true ? `.${String(name)}` : ".…"
}

const textsOf = (issue: SchemaIssue.Issue, place: string, within?: unknown): Array<string> => {
  const at = (text: string) => [`${text}${place === "" ? "" : ` at ${place}`}`]
  switch (issue._tag) {
    case "Filter": {
      const expected = issue.filter.annotations?.["expected"]
      return typeof expected === "string"
        ? at(`expected ${expected}`)
        : at("a check of the schema fails")
    }
    case "Encoding":
      return textsOf(issue.issue, place, within)
    case "Pointer":
      return textsOf(issue.issue, place + issue.path.map((one) => placeOf(one, within)).join(""))
    case "Composite":
      return issue.issues.flatMap((one) => textsOf(one, place, issue.ast))
    case "AnyOf":
      return issue.issues.length === 0
        ? at("expected another type")
        : issue.issues.flatMap((one) => textsOf(one, place, issue.ast))
    case "InvalidType": {
      // Without the input, which a schema may keep.
      const text = SchemaIssue.defaultLeafHook(new SchemaIssue.InvalidType(issue.ast))
      return at(text.replace(/^Expected/, "expected"))
    }
    case "MissingKey":
      return at("nothing is there")
    case "UnexpectedKey":
      return at("a member is not in the schema")
    default:
      return at("the schema refuses it")
  }
}

const problemOf = (error: unknown): string => {
  if (error instanceof SyntaxError) return "it is no JSON"
  if (!Schema.isSchemaError(error)) return `its schema failed with ${kindOf(error)}`
  const text = [...new Set(textsOf(error.issue, ""))].join(", or ")
  return text.length > deadReasonCharacters ? `${text.slice(0, deadReasonCharacters - 1)}…` : text
}

/** A key or a value that its schema cannot turn into JSON, or JSON into it. */
export class SchemaRefused extends Data.TaggedError("SchemaRefused")<{
  readonly part: "key" | "value"
  readonly step: "encoded" | "decoded"
  readonly problem: string
}> {
  override get message(): string {
    return `its ${this.part} cannot be ${this.step}: ${this.problem}`
  }
}

/** Failures and defects of a schema as errors that hold nothing of the value. */
export const refusing =
  (part: "key" | "value", step: "encoded" | "decoded") =>
  <A>(effect: Effect.Effect<A, unknown>): Effect.Effect<A, SchemaRefused> =>
    Effect.catchCause(effect, (cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.interrupt
        : Effect.fail(new SchemaRefused({ part, step, problem: problemOf(Cause.squash(cause)) })),
    )
