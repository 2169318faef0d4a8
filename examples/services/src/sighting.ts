/** What a reader saw, and whether a price ever went back before its eyes. */
import { Option, Schema } from "effect"
import { Price } from "./price.ts"

export const Sighting = Schema.Struct({
  who: Schema.String,
  id: Schema.String,
  /** `None`: the reader had no price. */
  price: Schema.Option(Price),
  /** Milliseconds of the clock that all processes of a machine share. */
  at: Schema.Finite,
})
export type Sighting = typeof Sighting.Type

/** A reader that had seen a newer price. */
export interface WentBack {
  readonly sighting: Sighting
  readonly from: Price
  readonly to: Price
}

/**
 * Compares each price that a reader saw with the newest that it had seen before, and has the first that is
 * older. No price is not an old one.
 */
export const wentBack = (sightings: ReadonlyArray<Sighting>): ReadonlyArray<WentBack> => {
  const newest = new Map<string, { readonly price: Price; readonly isTold: boolean }>()
  return sightings.flatMap((sighting): ReadonlyArray<WentBack> => {
    if (Option.isNone(sighting.price)) return []
    const place = JSON.stringify([sighting.who, sighting.id])
    const [known, to] = [newest.get(place), sighting.price.value]
    const isOlder = known !== undefined && to.version < known.price.version
    newest.set(place, { price: isOlder ? known.price : to, isTold: isOlder })
    return isOlder && !known.isTold ? [{ sighting, from: known.price, to }] : []
  })
}

/** What each reader saw last of a price. */
export const latest = (
  sightings: ReadonlyArray<Sighting>,
  id: string,
): ReadonlyMap<string, Option.Option<Price>> =>
  new Map(sightings.filter((one) => one.id === id).map(({ price, who }) => [who, price]))
