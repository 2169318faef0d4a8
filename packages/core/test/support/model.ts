/**
 * The answers that the laws allow a larder, derived from outside observations:
 * which values upstream validated and when, which changes were made and when they
 * were acknowledged, which lookups failed. The model allows whatever an outside
 * observer cannot decide.
 */

export interface Times {
  readonly freshFor: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  readonly softTimeout: number
  readonly hardTimeout: number
  /** For how long a failed lookup may be the reason for a stale answer. */
  readonly failureCounts: number
  /** Lookups may be shed, which an outside observer does not see. */
  readonly sheds: boolean
}

/** Upstream validated the value at `at`, as of moment `begun`. */
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
  change: Change
  readonly begun: number
  /** The place of its acknowledgement in the order, Infinity before. */
  ended: number
  endedAt: number
  settled: boolean
}

export interface Lookup {
  /** The number of the call of upstream: all keys of one bulk lookup have the same. */
  readonly call: number
  readonly key: string
  readonly begun: Moment
  /** Whether the lookup obeys its interruption. */
  readonly obeys: boolean
  /** Part of a bulk lookup, which continues while a caller waits for any of its keys. */
  readonly together: boolean
  ended: Moment | undefined
  failed: boolean
}

/** A caller and its demand. */
export interface Caller {
  readonly key: string
  readonly came: Moment
  readonly maxAge: number | undefined
  readonly allowStale: boolean
  /** A refresh: the caller accepts only an answer that upstream gives now. */
  readonly insists: boolean
  /** One key of a `getMany`: its value was right when it was found, and is returned with the last one. */
  readonly many: boolean
}

export type Freshness = "Fresh" | "Stale"

/** Whether a change leaves no stale value. */
const leavesNothing = ({ change }: Made): boolean =>
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

/** Whether a change detaches running lookups of the key: later callers do not join them. */
const detaches = (change: Change, key: string): boolean =>
  change._tag === "clear" || ("key" in change && change.key === key)

export class Model {
  readonly violations: Array<string> = []
  /** A caller was interrupted. */
  someoneLeft = false
  /** How long a flight may run before it calls upstream, ms. */
  flightsWait = 0
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

  /** Makes a value that was never used before. */
  newValue(key: string, tags: ReadonlyArray<string>): number {
    this.#value += 1
    this.#truths.set(this.#value, { key, tags, vouches: [] })
    return this.#value
  }

  tagsOf(value: number): ReadonlyArray<string> {
    return this.#truths.get(value)?.tags ?? []
  }

  lookupBegins(call: number, key: string, obeys: boolean, together: boolean): Lookup {
    const begun = this.moment()
    const lookup: Lookup = { call, key, begun, obeys, together, ended: undefined, failed: false }
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

  /** A lookup was interrupted; one that took too long has failed by that. */
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

  /** Begins a change; call the returned function when it is acknowledged, with `settled` of its `Ack`. */
  changeBegins(change: Change): (settled: boolean) => void {
    const begun = this.moment()
    const made: Made = {
      change,
      begun: begun.order,
      ended: Infinity,
      endedAt: Infinity,
      settled: false,
    }
    this.#changes.push(made)
    const vouch: Vouch = { begun: Infinity, at: begun.at }
    if (change._tag === "set") this.#truths.get(change.value)?.vouches.push(vouch)
    return (settled) => {
      const ended = this.moment()
      made.settled = settled
      made.ended = ended.order
      made.endedAt = ended.at
      vouch.begun = ended.order
    }
  }

  /**
   * A process that ends loses its unsettled changes. If no other place keeps its
   * marks, they are lost too: entries that they covered are then not fresh, but may
   * be stale.
   */
  restarted(keepsMarks: boolean): void {
    for (const made of this.#changes) {
      const { change } = made
      if (!made.settled) made.ended = Infinity
      if (!keepsMarks && "keepStale" in change) made.change = { ...change, keepStale: true }
    }
  }

  /** Checks law 7. Call it when all interrupted lookups have ended. */
  checkLookups(): void {
    const running = this.#lookups.filter(
      ({ ended, obeys, together }) =>
        ended === undefined && obeys && !(together && this.someoneLeft),
    )
    for (const [i, later] of running.entries()) {
      const same = running.slice(0, i).find(({ key }) => key === later.key)
      if (same === undefined) continue
      const since = same.begun.at - this.flightsWait
      const isNewGeneration = this.#changes.some(
        ({ begun, change, ended, endedAt }) =>
          detaches(change, later.key) &&
          begun < later.begun.order &&
          (ended > same.begun.order || (this.flightsWait > 0 && endedAt >= since)),
      )
      if (!isNewGeneration) {
        this.violated(
          "law 7",
          `lookups ${same.call} and ${later.call} of ${later.key} run together`,
        )
      }
    }
  }

  /** The acknowledged change that is newer than every validation of the value. */
  #isOvertaken(
    value: number,
    truth: Truth,
    came: Moment,
    by: (made: Made) => boolean,
  ): Change | undefined {
    return this.#changes.find((made) => {
      const { begun, change, ended } = made
      if (ended >= came.order || !by(made) || !covers(change, truth, value)) return false
      return truth.vouches.every((vouch) => vouch.begun < begun)
    })?.change
  }

  /** When upstream last validated the value. */
  #vouchedAt(truth: Truth): number {
    return Math.max(...truth.vouches.map(({ at }) => at))
  }

  /** Whether a lookup of the key failed or took too long so recently that a stale answer is allowed. */
  #isExcused({ came, key }: Caller): boolean {
    const { sheds, softTimeout } = this.#times
    const isSlow = this.#now() - came.at >= softTimeout
    return sheds || isSlow || this.#lookups.some((lookup) => this.#counts(lookup, key, came))
  }

  /** Whether a lookup failed recently enough before the caller arrived to count. */
  #counts({ begun, ended, failed, key: of }: Lookup, key: string, came: Moment): boolean {
    if (of !== key) return false
    const { failureCounts, hardTimeout } = this.#times
    // A lookup past its deadline may not have been ended yet.
    if (ended === undefined) return this.#now() - begun.at >= hardTimeout
    return failed && ended.at >= came.at - failureCounts
  }

  /** Checks the rules for every answer: the value belongs to the key, is alive and was not dropped. */
  #checkLife(value: number, key: string, came: Moment, now: number): Truth | undefined {
    const truth = this.#truths.get(value)
    if (truth === undefined || truth.key !== key || truth.vouches.length === 0) {
      this.violated("law 11", `${value} was never given for ${key}`)
      return undefined
    }
    const { freshFor, staleIfError, staleWhileRevalidate } = this.#times
    const vouchedAt = this.#vouchedAt(truth)
    const staleUntil = vouchedAt + freshFor + Math.max(staleIfError, staleWhileRevalidate)
    if (now >= staleUntil && now > vouchedAt) {
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

  /** Checks an answer; `freshness` if the caller got it. */
  checkGiven(caller: Caller, value: number, freshness: Freshness | undefined): void {
    const { allowStale, came, key, maxAge } = caller
    const now = caller.many ? came.at : this.#now()
    const truth = this.#checkLife(value, key, came, now)
    if (truth === undefined) return
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
    const isNewer = truth.vouches.some(({ begun }) => begun > came.order)
    if (caller.insists && !isNewer && !this.#isExcused(caller)) {
      this.violated("refresh", `${value} was begun before`)
    }
  }

  /** Checks the result of a `read` whose caller arrived at `came`. */
  checkRead(key: string, came: Moment, value: number, freshness: Freshness): void {
    const truth = this.#checkLife(value, key, came, this.#now())
    if (truth !== undefined && freshness === "Fresh") this.#checkFresh(value, truth, came)
  }

  /** Checks a failure: it must be that of a lookup of this key that ended recently enough to count. */
  checkFailed({ came, key }: Caller, call: number | undefined): void {
    const isReason = (lookup: Lookup) =>
      (call === undefined || lookup.call === call) && this.#counts(lookup, key, came)
    if (!this.#lookups.some(isReason)) {
      this.violated("law 6", `${key} failed as no lookup did: ${call ?? "timeout or not returned"}`)
    }
  }
}
