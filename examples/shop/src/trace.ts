/** The requests to replay: generated, or the user's own. A key of a trace stands for the product of its number. */
import { described, readTrace, shopTraffic, size, type Trace } from "@larder/traces"
import { Effect, Schema } from "effect"
import { shelfOf } from "./product.ts"

export interface Options {
  /** A recording; generated traffic by default. */
  readonly trace: string | undefined
  /** The field of JSON lines that holds the key. */
  readonly field: string | undefined
  /** The seed of the generated traffic. */
  readonly seed: number
}

export class FieldWithoutTrace extends Schema.TaggedError<FieldWithoutTrace>()(
  "FieldWithoutTrace",
  {
    field: Schema.String,
  },
) {
  override get message(): string {
    return `--field ${this.field}: name the recording whose field it is with --trace FILE`
  }
}

/** The length of the generated traffic: more than a run with the defaults makes. */
const generatedRequests = 100_000

/** The trace, and a description of it. */
export const load = Effect.fnUntraced(function* ({ field, seed, trace: file }: Options) {
  if (file !== undefined) {
    const recording = yield* readTrace(file, { field })
    return { trace: recording.trace, words: `${file}: ${described(recording)}` }
  }
  if (field !== undefined) return yield* new FieldWithoutTrace({ field })
  const trace = shopTraffic({ seed, requests: generatedRequests })
  return { trace, words: `Generated traffic, seed ${seed}: ${size(trace)}` }
})

/** A customer's request: the page of one product, or a listing page with one shelf. */
export type Request =
  | { readonly _tag: "Page"; readonly id: number }
  | { readonly _tag: "Listing"; readonly ids: ReadonlyArray<number> }

/** One request in this many becomes one for the listing page of the product's shelf. */
export const listingEvery = 10

/** The request at this index of the trace, which repeats from its start. */
export const requestAt = ({ requests }: Trace, index: number): Request => {
  const id = requests[index % requests.length]!
  return index % listingEvery === listingEvery - 1
    ? { _tag: "Listing", ids: shelfOf(id) }
    : { _tag: "Page", id }
}
