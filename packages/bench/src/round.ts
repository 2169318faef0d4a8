/**
 * The process of one round, forked by rounds.ts: `round.ts <case> <variant> <entrant> <seconds>`
 * says when it begins to take samples, waits to be told to go on, and sends its figures.
 */
import { once } from "node:events"
import { findCase } from "./Case.ts"
import { load } from "./contenders/registry.ts"
import { type Measured, measure } from "./measure.ts"

export type Message =
  | { readonly _tag: "Sampling" }
  | { readonly _tag: "Measured"; readonly measured: Measured }

const send = (message: Message): Promise<void> =>
  new Promise((resolve, reject) => {
    if (process.send === undefined) throw new Error("nobody has forked it")
    process.send(message, undefined, undefined, (error) => (error ? reject(error) : resolve()))
  })

const [caseName = "", variantName = "", entrantName = "", seconds] = process.argv.slice(2)
const bench = findCase(caseName)
const variant = bench?.variants.find(({ name }) => name === variantName)
const entrant = bench?.entrants.find(({ name }) => name === entrantName)
if (bench === undefined || variant === undefined || entrant === undefined) {
  throw new Error(`no such round: ${process.argv.slice(2).join(" ")}`)
}
const measured = await measure(await load(entrant.contender), {
  bench,
  variant,
  entrant,
  seconds: Number(seconds),
  onSampling: async () => {
    const goOn = once(process, "message")
    await send({ _tag: "Sampling" })
    await goOn
  },
})
await send({ _tag: "Measured", measured })
// What a library leaves running would disturb the next round.
process.exit()
