/** Lets modules beside a larder, which have only its public face, report to its subscribers. */
import type { Told } from "../observe/eventHub.ts"

type Tell = (told: Told) => void

const known = new WeakMap<object, Tell>()

/** `larder` is what the user has, perhaps wrapped by an instrument. */
export const reportBy = (larder: object, tell: Tell): void => void known.set(larder, tell)

/** Tells an event of the larder; one that did not come from `Larder.make` has no subscribers to tell. */
export const report = (larder: object, told: Told): void => known.get(larder)?.(told)
