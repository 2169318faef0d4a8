/** The recorded requests: one product number per line, in the order they were made. */
import { gunzipSync } from "node:zlib"
import { Effect, FileSystem, Result, Schema } from "effect"
import { shelfOf } from "./product.ts"

export class InvalidTrace extends Schema.TaggedError<InvalidTrace>()("InvalidTrace", {
  reason: Schema.String,
}) {
  override get message(): string {
    return `The trace cannot be replayed: ${this.reason}`
  }
}

export type Trace = readonly [number, ...Array<number>]

export const parse = (text: string): Result.Result<Trace, InvalidTrace> => {
  const lines = text.trimEnd().split("\n")
  const wrong = lines.findIndex((line) => !/^\d{1,15}$/.test(line))
  if (wrong >= 0) {
    const found = JSON.stringify(lines[wrong]!.slice(0, 40))
    return Result.fail(
      new InvalidTrace({ reason: `line ${wrong + 1} is ${found}, not the number of a product` }),
    )
  }
  const [first, ...rest] = lines.map(Number)
  return Result.succeed([first!, ...rest])
}

/** Reads a trace compressed with gzip. */
export const read = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  const unreadable = (cause: unknown) => new InvalidTrace({ reason: `${path}: ${String(cause)}` })
  const compressed = yield* Effect.mapError(files.readFile(path), unreadable)
  const text = yield* Effect.try({
    try: () => new TextDecoder().decode(gunzipSync(compressed)),
    catch: unreadable,
  })
  return yield* Effect.fromResult(parse(text))
})

/** What a customer asks for: the page of one product, or a listing page with a shelf of them. */
export type Request =
  | { readonly _tag: "Page"; readonly id: number }
  | { readonly _tag: "Listing"; readonly ids: ReadonlyArray<number> }

/** One request in this many is taken as one for the listing page of the product's shelf. */
export const listingEvery = 10

/** The request at this place of the trace; after its end it begins again. */
export const requestAt = (trace: Trace, index: number): Request => {
  const id = trace[index % trace.length]!
  return index % listingEvery === listingEvery - 1
    ? { _tag: "Listing", ids: shelfOf(id) }
    : { _tag: "Page", id }
}
