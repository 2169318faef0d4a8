/** What each service saw after each step, as text. */
import { Option } from "effect"
import type { Outcome, Step } from "./scenario.ts"
import { type Sighting, wentBack } from "./sighting.ts"

const moneyOf = (cents: number) => (cents / 100).toFixed(2)

const saidOf = ({ id, price }: Sighting) =>
  Option.match(price, {
    onNone: () => `no ${id}`,
    onSome: ({ cents }) => `${id} at ${moneyOf(cents)}`,
  })

interface Chapter extends Step {
  readonly sightings: ReadonlyArray<Sighting>
}

/** Each step with what was seen from then on until the next one. */
export const chapters = ({ sightings, steps }: Outcome): ReadonlyArray<Chapter> =>
  steps.map((step, at) => {
    const until = steps[at + 1]?.at ?? Infinity
    const isIn = (one: Sighting) => one.at < until && (one.at >= step.at || at === 0)
    return { ...step, sightings: sightings.filter(isIn) }
  })

/** What a reader saw before the story began is told without a time. */
const afterOf = (step: Step, { at }: Sighting) =>
  at < step.at ? "" : ` after ${Math.round(at - step.at)} ms`

const lineOf = (step: Step, who: string, sightings: ReadonlyArray<Sighting>) => {
  const seen = sightings.map((one) => `${saidOf(one)}${afterOf(step, one)}`)
  return `    ${who.padEnd(6)}  ${seen.join(", ")}`
}

export const story = (outcome: Outcome): ReadonlyArray<string> => {
  const [began] = outcome.steps
  return chapters(outcome).flatMap((chapter) => {
    const readers = Map.groupBy(chapter.sightings, ({ who }) => who)
    const seconds = ((chapter.at - began!.at) / 1_000).toFixed(2)
    return [
      `${seconds} s  ${chapter.what}`,
      ...[...readers].map(([who, seen]) => lineOf(chapter, who, seen)),
    ]
  })
}

/** One line if no price went back; else one more for each that did. */
export const verdict = ({ sightings }: Outcome): ReadonlyArray<string> => {
  const back = wentBack(sightings)
  if (back.length === 0) return ["No service saw a price go back."]
  return [
    "Prices went back:",
    ...back.map(
      ({ from, sighting, to }) =>
        `    ${sighting.who.padEnd(6)}  ${sighting.id} from ${moneyOf(from.cents)} to ${moneyOf(to.cents)}`,
    ),
  ]
}
