/** The products: the shape on both sides of the wire, and the catalogue's stock. */
import { Schema } from "effect"

export const Product = Schema.Struct({
  id: Schema.Int,
  name: Schema.String,
  priceCents: Schema.Int,
  /** The number of the price list with this price. */
  priceList: Schema.Int,
})
export type Product = typeof Product.Type

const adjectives = ["Plain", "Sturdy", "Light", "Blue", "Folding", "Quiet", "Oak", "Small"]
const nouns = [
  "kettle",
  "lamp",
  "stool",
  "rucksack",
  "clock",
  "teapot",
  "shelf",
  "blanket",
  "radio",
]

const pick = <A>(from: ReadonlyArray<A>, index: number): A => from[index % from.length]!

/** One product in 89 is no longer sold. */
const isSold = (id: number): boolean => id % 89 !== 88

/** The product with this number, or `undefined` if it is no longer sold. */
export const productAt = (id: number, priceList: number): Product | undefined =>
  isSold(id)
    ? {
        id,
        name: `${pick(adjectives, id)} ${pick(nouns, Math.floor(id / adjectives.length))} ${id}`,
        priceCents: (495 + ((id * 7919) % 9_000)) * (priceList === 1 ? 10 : 11),
        priceList,
      }
    : undefined

/** How many products are on a shelf; a listing page shows one shelf. */
export const shelfSize = 8

/** The products on sale on this one's shelf, by number. */
export const shelfOf = (id: number): ReadonlyArray<number> => {
  const first = id - (id % shelfSize)
  return Array.from({ length: shelfSize }, (_, place) => first + place).filter(isSold)
}
