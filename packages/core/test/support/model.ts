/**
 * What the laws allow a larder to give, told from the outside: which values
 * upstream vouched for and when, which changes were made and when they were
 * acknowledged, which lookups failed. Where the outside cannot tell, it allows.
 */

export interface Times {
  readonly freshFor: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  readonly softTimeout: number
  readonly hardTimeout: number
  /** For how long a failed lookup may be the reason for something stale. */
  readonly failureCounts: number
}

/** Upstream said at `at` that the value is right, as of moment `begun`. */
interface Vouch {
  begun: number
  readonly at: number
}

interface Truth {
  readonly key: string
  readonly tags: ReadonlyArray<string>
  readonly vouches: Array<Vouch>
}

/** A moment: a place in the order of everything that happens; `at` is its time, ms. */
export interface Moment {
  readonly order: number
  readonly at: number
}

export type Change =
  | { readonly _tag: "set"; readonly key: string; readonly value: number }
  | { readonly _tag: "remove" | "expire" | "refresh"; readonly key: string }
  | { readonly _tag: "tags"; readonly tags: ReadonlyArray<string>; readonly keepStale: boolean }
  | { readonly _tag: "clear"; readonly keepStale: boolean }

interface Made {
  readonly change: Change
  readonly begun: number
  ended: number
}

interface Lookup {
  readonly id: number
  readonly key: string
  readonly begun: Moment
  /** It obeys its interruption. */
  readonly obeys: boolean
  ended: Moment | undefined
  failed: boolean
}

/** Who asks, and how. */
export interface Caller {
  readonly key: string
  readonly came: Moment
  readonly maxAge: number | undefined
  readonly allowStale: boolean
  /** A refresh: nothing but what upstream says now. */
  readonly insists: boolean
}

export type Freshness = "Fresh" | "Stale"

/** What a value may be, to somebody. */
const leavesNothing = (change: Change): boolean =>
  change._tag === "set" || change._tag === "remove" || ("keepStale" in change && !change.keepStale)

const covers = (change: Change, truth: Truth, value: number): boolean => {
  switch (change._tag) {
    case "set":
      return change.key === truth.key && change.value !== value
    case "remove":
    case "expire":
      return change.key === truth.key
    case "refresh":
      return false
    case "tags":
      return change.tags.some((tag) => truth.tags.includes(tag))
    case "clear":
      return true
  }
}

/** Whether what is running before is for nobody who comes after. */
const detaches = (change: Change, key: string): boolean =>
  change._tag === "clear" || ("key" in change && change.key === key)

export class Model {
  readonly violations: Array<string> = []
  readonly #times: Times
  readonly #now: () => number
  readonly #truths = new Map<number, Truth>()
  readonly #changes: Array<Made> = []
  readonly #lookups: Array<Lookup> = []
  #order = 0
  #value = 0

  constructor(times: Times, now: () => number) {
    this.#times = times
    this.#now = now
  }

  moment(): Moment {
    this.#order += 1
    return { order: this.#order, at: this.#now() }
  }

  violated(law: string, what: string): void {
    this.violations.push(`${this.#now()} ms: ${law}: ${what}`)
  }

  /** A value that was never there before. */
  newValue(key: string, tags: ReadonlyArray<string>): number {
    this.#value += 1
    this.#truths.set(this.#value, { key, tags, vouches: [] })
    return this.#value
  }

  tagsOf(value: number): ReadonlyArray<string> {
    return this.#truths.get(value)?.tags ?? []
  }

  lookupBegins(key: string, obeys: boolean): Lookup {
    const begun = this.moment()
    const lookup: Lookup = { id: begun.order, key, begun, obeys, ended: undefined, failed: false }
    this.#lookups.push(lookup)
    return lookup
  }

  lookupGave(lookup: Lookup, value: number): void {
    lookup.ended = this.moment()
    this.#truths.get(value)?.vouches.push({ begun: lookup.begun.order, at: lookup.ended.at })
  }

  lookupFailed(lookup: Lookup): void {
    lookup.ended ??= this.moment()
    lookup.failed = true
  }

  /** It was interrupted; one that took too long has thereby failed. */
  lookupLeft(lookup: Lookup): void {
    lookup.ended ??= this.moment()
    lookup.failed ||= lookup.ended.at - lookup.begun.at >= this.#times.hardTimeout
  }

  get lookups(): number {
    return this.#lookups.length
  }

  get running(): number {
    return this.#lookups.filter((lookup) => lookup.ended === undefined).length
  }

  /** Gives what tells that the change was acknowledged. */
  changeBegins(change: Change): () => void {
    const begun = this.moment()
    const made: Made = { change, begun: begun.order, ended: Infinity }
    this.#changes.push(made)
    const vouch: Vouch = { begun: Infinity, at: begun.at }
    if (change._tag === "set") this.#truths.get(change.value)?.vouches.push(vouch)
    return () => {
      made.ended = this.moment().order
      vouch.begun = made.ended
    }
  }

  /** Law 7, at a moment when whatever was interrupted has ended. */
  checkLookups(): void {
    const running = this.#lookups.filter(({ ended, obeys }) => ended === undefined && obeys)
    for (const [i, later] of running.entries()) {
      const same = running.slice(0, i).find(({ key }) => key === later.key)
      if (same === undefined) continue
      const isNewGeneration = this.#changes.some(
        ({ begun, change, ended }) =>
          detaches(change, later.key) && ended > same.begun.order && begun < later.begun.order,
      )
      if (!isNewGeneration) {
        this.violated("law 7", `lookups ${same.id} and ${later.id} of ${later.key} run together`)
      }
    }
  }

  /** Whether a settled change that the caller knows of came after all that speaks for the value. */
  #isOvertaken(
    value: number,
    truth: Truth,
    came: Moment,
    by: (change: Change) => boolean,
  ): Change | undefined {
    return this.#changes.find(
      ({ begun, change, ended }) =>
        by(change) &&
        ended < came.order &&
        covers(change, truth, value) &&
        truth.vouches.every((vouch) => vouch.begun < begun),
    )?.change
  }

  /** When upstream last spoke for the value. */
  #vouchedAt(truth: Truth): number {
    return Math.max(...truth.vouches.map(({ at }) => at))
  }

  /** A lookup of the key failed or took too long, so recently that it may be the reason. */
  #isExcused({ came, key }: Caller): boolean {
    const { failureCounts, softTimeout } = this.#times
    const now = this.#now()
    return (
      now - came.at >= softTimeout ||
      this.#lookups.some(
        ({ ended, failed, key: of }) =>
          failed && of === key && ended !== undefined && ended.at >= came.at - failureCounts,
      )
    )
  }

  /** What nobody may be given, whatever they ask for. */
  #checkLife(value: number, key: string, came: Moment): Truth | undefined {
    const truth = this.#truths.get(value)
    const now = this.#now()
    if (truth === undefined || truth.key !== key || truth.vouches.length === 0) {
      this.violated("law 11", `${value} was never given for ${key}`)
      return undefined
    }
    const { freshFor, staleIfError, staleWhileRevalidate } = this.#times
    const vouchedAt = this.#vouchedAt(truth)
    const staleUntil = vouchedAt + freshFor + Math.max(staleIfError, staleWhileRevalidate)
    if (now >= staleUntil && now !== vouchedAt) {
      this.violated("law 4", `${value} of ${vouchedAt} given after ${staleUntil}`)
    }
    const dropped = this.#isOvertaken(value, truth, came, leavesNothing)
    if (dropped !== undefined) {
      this.violated("laws 11, 12", `${value} given after ${JSON.stringify(dropped)}`)
    }
    return truth
  }

  #checkFresh(value: number, truth: Truth, came: Moment): void {
    const vouchedAt = this.#vouchedAt(truth)
    const now = this.#now()
    if (now >= vouchedAt + this.#times.freshFor && now !== vouchedAt) {
      this.violated("law 1", `${value} of ${vouchedAt} is given as fresh`)
    }
    const change = this.#isOvertaken(value, truth, came, () => true)
    if (change !== undefined) {
      this.violated("law 11", `${value} given as fresh after ${JSON.stringify(change)}`)
    }
  }

  /** `freshness` where the caller was told. */
  checkGiven(caller: Caller, value: number, freshness: Freshness | undefined): void {
    const { allowStale, came, key, maxAge } = caller
    const truth = this.#checkLife(value, key, came)
    if (truth === undefined) return
    const now = this.#now()
    const vouchedAt = this.#vouchedAt(truth)
    const { freshFor, staleWhileRevalidate } = this.#times
    if (freshness === "Fresh") this.#checkFresh(value, truth, came)
    const overtaken = this.#isOvertaken(value, truth, came, () => true)
    const isNew = vouchedAt >= came.at
    const isTooOld = maxAge !== undefined && vouchedAt < came.at - maxAge
    const isInTime = isNew || now < vouchedAt + freshFor + staleWhileRevalidate
    const isGood = overtaken === undefined && !isTooOld && isInTime
    if (!isGood && !this.#isExcused(caller)) {
      const why = overtaken === undefined ? `of ${vouchedAt}` : JSON.stringify(overtaken)
      this.violated("law 3", `${value} given though no lookup had failed: ${why}`)
    }
    const isFresh = isNew || (now < vouchedAt + freshFor && overtaken === undefined)
    if (!allowStale && !isFresh) {
      this.violated("stale never", `${value} of ${vouchedAt} given`)
    }
    if (caller.insists && !truth.vouches.some(({ begun }) => begun > came.order)) {
      this.violated("refresh", `${value} was begun before`)
    }
  }

  /** What the tiers are said to have, to somebody who came at `came`. */
  checkRead(key: string, came: Moment, value: number, freshness: Freshness): void {
    const truth = this.#checkLife(value, key, came)
    if (truth !== undefined && freshness === "Fresh") this.#checkFresh(value, truth, came)
  }

  /** A failure is that of a lookup of this key which ended no longer ago than failures count. */
  checkFailed({ came, key }: Caller, id: number | undefined): void {
    const { failureCounts } = this.#times
    const isReason = (lookup: Lookup) =>
      lookup.key === key &&
      lookup.failed &&
      (id === undefined || lookup.id === id) &&
      lookup.ended !== undefined &&
      lookup.ended.at >= came.at - failureCounts
    if (!this.#lookups.some(isReason)) {
      this.violated("law 6", `${key} failed with ${id ?? "something"} that no lookup failed with`)
    }
  }
}
