/** Tries all mutants of a run, one after the other on each worker. */
import type { Mutant } from "../source/mutant.ts"
import type { Answer, Planned } from "../worker/protocol.ts"
import type { Fate, Result } from "./results.ts"
import { type Coverage, coverageOf, isRandom, testsFor, testsForLoaded } from "./schedule.ts"
import type { Worker, Workers } from "./workers.ts"

/** The tool cannot continue; the message has the remedy. */
export class CampaignFailed extends Error {}

/** How long a worker may be silent beyond the limit of its test, ms. */
const patience = 3_000
/** When more tests than this fail without a mutant, the cause is something else. */
const mostFailing = 10
/** The longest silence of a test during the measurement, ms. */
const measuringMillis = 180_000

export interface Progress {
  /** Tests that fail without a mutant, and so cannot judge one. */
  readonly leftOut: (tests: ReadonlyArray<string>) => void
  readonly measured: (tests: number, millis: number) => void
  readonly done: (result: Result) => void
}

const ofLoading = (broken: ReadonlyArray<string>): Fate => ({
  _tag: "Caught",
  by: `${broken[0] ?? "a test file"}, which does not load`,
  alone: false,
})

const fateOf = (said: Answer | undefined): Fate => {
  switch (said?._tag) {
    case "Noticed":
      return said.timedOut
        ? { _tag: "TimedOut", by: said.by }
        : { _tag: "Caught", by: said.by, alone: isRandom(said.by) }
    case "Survived":
      return { _tag: "Survived" }
    case "Broken":
      throw new CampaignFailed(`a worker failed: ${said.reason}`)
    default:
      return { _tag: "TimedOut", by: undefined }
  }
}

const quietFor = (tests: ReadonlyArray<Planned>): number =>
  patience + tests.reduce((most, { limit }) => Math.max(most, limit), 0)

/** Runs every test once without a mutant. Leaves out tests that fail then; throws when many do. */
const measure = async (
  worker: Worker,
  leftOut: (tests: ReadonlyArray<string>) => void,
): Promise<Coverage> => {
  const { broken, loaded } = worker.ready
  if (broken.length > 0) {
    throw new CampaignFailed(
      `${broken.join(", ")} cannot be loaded: run pnpm test, make it pass, then mutate`,
    )
  }
  const said = await worker.ask({ _tag: "Measure" }, measuringMillis)
  if (said?._tag === "Broken") throw new CampaignFailed(`a worker failed: ${said.reason}`)
  if (said?._tag !== "Measured") {
    throw new CampaignFailed(
      "the tests did not end without a mutant: run pnpm test to see which ones hang",
    )
  }
  const failed = said.tests.filter(({ covered, passed }) => !passed && covered.length > 0)
  if (failed.length > mostFailing) {
    const names = failed.map(({ key }) => key).join("\n  ")
    throw new CampaignFailed(`tests fail without a mutant; make them pass first:\n  ${names}`)
  }
  leftOut(failed.map(({ key }) => key))
  return coverageOf(
    said.tests.filter(({ passed }) => passed),
    loaded,
  )
}

/** A worker that restarts after it was killed or corrupted. */
const reopening = (workers: Workers, first?: Worker) => {
  let current = first
  let tried = 0
  const get = async () => {
    if (current === undefined) {
      current = await workers.open(0)
      tried = 0
    }
    return current!
  }
  const drop = () => {
    current?.kill()
    current = undefined
  }
  const once = async (mutant: Mutant, tests: ReadonlyArray<Planned>) => {
    const worker = await get()
    const isFirst = tried === 0
    tried += 1
    const said = await worker.ask({ _tag: "Try", mutant: mutant.id, tests }, quietFor(tests))
    const sound = said?._tag === "Survived" || (said?._tag === "Noticed" && said.sound)
    if (!sound) drop()
    return { said, sure: isFirst || sound || said === undefined }
  }
  return {
    drop,
    /** A failure counts only in a worker that no earlier mutant can have corrupted. */
    fateOf: async (mutant: Mutant, tests: ReadonlyArray<Planned>): Promise<Fate> => {
      const { said, sure } = await once(mutant, tests)
      return fateOf(sure ? said : (await once(mutant, tests)).said)
    },
  }
}

const inFresh = async (
  workers: Workers,
  mutant: Mutant,
  tests: ReadonlyArray<Planned>,
): Promise<Fate> => {
  const worker = await workers.open(mutant.id)
  if (worker === undefined) return ofLoading([])
  try {
    const { broken } = worker.ready
    if (broken.length > 0) return ofLoading(broken)
    return fateOf(await worker.ask({ _tag: "Try", mutant: mutant.id, tests }, quietFor(tests)))
  } finally {
    worker.kill()
  }
}

/** How often each test noticed a mutant, by the file of the mutant. */
const tally = () => {
  const byFile = new Map<string, Map<string, number>>()
  return {
    of: (file: string) => byFile.get(file),
    add: (file: string, key: string) => {
      const counts = byFile.get(file) ?? new Map<string, number>()
      byFile.set(file, counts.set(key, (counts.get(key) ?? 0) + 1))
    },
  }
}

const placementsByFile = (
  mutants: ReadonlyArray<Mutant>,
): ReadonlyMap<string, ReadonlySet<number>> =>
  new Map(
    [...Map.groupBy(mutants, ({ file }) => file)].map(([file, own]) => [
      file,
      new Set(own.map(({ placement }) => placement)),
    ]),
  )

export interface Campaign {
  /** All mutants of the files, tried or not. */
  readonly all: ReadonlyArray<Mutant>
  readonly chosen: ReadonlyArray<Mutant>
  readonly lanes: number
  /** Aborting lets the mutants in progress finish and starts no more. */
  readonly stop: AbortSignal
  readonly progress: Progress
}

/** The results of the chosen mutants that were tried, in their order. */
export const run = async (workers: Workers, campaign: Campaign): Promise<ReadonlyArray<Result>> => {
  const { all, chosen, lanes, progress, stop } = campaign
  const first = (await workers.open(0))!
  const coverage = await measure(first, progress.leftOut)
  progress.measured(
    coverage.tests.length,
    coverage.tests.reduce((sum, { millis }) => sum + millis, 0),
  )
  const placements = placementsByFile(all)
  const noticed = tally()
  const results = new Map<Mutant, Result>()

  const keep = (mutant: Mutant, fate: Fate) => {
    const result = { mutant, fate }
    results.set(mutant, result)
    if (fate._tag === "Caught" && !fate.alone) noticed.add(mutant.file, fate.by)
    progress.done(result)
  }
  const isLoaded = ({ placement }: Mutant) => coverage.loaded.has(placement)
  const isRun = ({ placement }: Mutant) => coverage.byPlacement.has(placement)

  const switched = chosen.filter(isRun).values()
  const evaluatedOnLoad = chosen.filter((mutant) => isLoaded(mutant) && !isRun(mutant))
  for (const mutant of chosen) {
    if (!isLoaded(mutant) && !isRun(mutant)) keep(mutant, { _tag: "NotCovered" })
  }

  const lane = async (worker?: Worker) => {
    const own = reopening(workers, worker)
    for (const mutant of switched) {
      if (stop.aborted) break
      const tests = testsFor(mutant, coverage, noticed.of(mutant.file))
      const fate = await own.fateOf(mutant, tests)
      // Code that also runs on loading ran before the mutant was switched on.
      if (fate._tag === "Survived" && isLoaded(mutant)) evaluatedOnLoad.push(mutant)
      else keep(mutant, fate)
    }
    own.drop()
  }
  const others = Array.from({ length: lanes - 1 }, () => lane())
  await Promise.all([lane(first), ...others])

  const fresh = evaluatedOnLoad.values()
  const freshLane = async () => {
    for (const mutant of fresh) {
      if (stop.aborted) break
      const tests = testsForLoaded(placements.get(mutant.file)!, coverage)
      keep(mutant, await inFresh(workers, mutant, tests))
    }
  }
  await Promise.all(Array.from({ length: lanes }, freshLane))
  return chosen.flatMap((mutant) => results.get(mutant) ?? [])
}
