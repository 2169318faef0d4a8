/** What every other service has of the prices: it can read them, and there is nothing to change them with. */
import { Larder } from "@larder/core"
import { larderName, Price } from "./price.ts"

export class ReadPrices extends Larder.Follower<ReadPrices>()("shop/ReadPrices", {
  name: larderName,
  value: Price,
}) {}
