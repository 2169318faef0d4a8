/** Which values callers may get, and whether as fresh. */
import type { Answer, Change, Moment, Read, Value } from "../history/History.ts"
import type { Facts, Vouch } from "./Facts.ts"
import { epoch } from "../engine/process.ts"
import { lagOf, tierTimeout, timesOf } from "../plan/Plan.ts"
import { type Law, violation, type Violation } from "./Violation.ts"

/** ms. By so much the arbiter's time, as a node knows it, may be off. */
const lagMillis = 30

type Given = Extract<Answer, { readonly _tag: "Value" }>

const shownChange = ({ begin, key, life, op, tags, value }: Change): string => {
  const what = key ?? (tags.length > 0 ? tags.join(" ") : "all")
  return `${op} ${what}${value === undefined ? "" : ` = ${value}`} of ${String.fromCharCode(65 + life.node)} at ${begin.at} ms`
}

/**
 * Whether a change leaves no stale value. A `set` of another node leaves the older value for when
 * neither the arbiter nor upstream answers.
 */
const drops = ({ keepStale, life, op }: Change, by: Read): boolean => {
  switch (op) {
    case "set":
    case "through":
    case "update":
    case "setIfPresent":
      return life === by.life && !(keepStale && op !== "set")
    case "remove":
      return true
    default:
      return op !== "expire" && !keepStale
  }
}

/**
 * A node that does not know the arbiter's time yet gives a queued value a version below those of older
 * values. Until it is written or given up, a file may return the older one for stale-if-error.
 */
const isUnplaced = (facts: Facts, { end, settled, version }: Change, by: Read): boolean => {
  const { config } = facts.history
  return (
    !settled &&
    end !== undefined &&
    version < epoch * 1_000 &&
    by.begin.at < end.at + config.settleTime + timesOf(config).leaseWait
  )
}

/**
 * An arbiter that evicts the record of a change accepts a value that was queued before the change and
 * arrives after it; as fresh, unless the node of the value knew by then that the change came later.
 */
const mayBeEvicted = (
  facts: Facts,
  value: number,
  change: Change,
  by: Read,
  isKnownLater: (vouch: Vouch, evicted: Moment) => boolean = (vouch, evicted) =>
    facts.isKnownLater(change, vouch, evicted),
): boolean =>
  change.key !== undefined &&
  facts
    .vouches(value)
    .some(
      (vouch) =>
        !vouch.isSettled &&
        facts.history.steps.some(
          ({ at, step }) =>
            step._tag === "evict" &&
            at.order > change.begin.order &&
            at.order < (by.end ?? by.begin).order &&
            !isKnownLater(vouch, at),
        ),
    )

/** The rules for one answer. */
class Judging {
  readonly #facts: Facts
  readonly #read: Read
  readonly #given: Given
  readonly #value: Value
  /** ms. When upstream last validated the value. */
  readonly #vouchedAt: number
  /** ms. When the larder decided, at the earliest. */
  readonly #decidedAt: number
  readonly #end: Moment
  /** The changes that concern the value and are newer. */
  readonly #newer: ReadonlyArray<Change>
  readonly found: Array<Violation> = []

  constructor(
    facts: Facts,
    read: Read,
    given: Given,
    value: Value,
    vouchedAt: number,
    end: Moment,
  ) {
    this.#facts = facts
    this.#read = read
    this.#given = given
    this.#value = value
    this.#vouchedAt = vouchedAt
    this.#end = end
    this.#newer = facts.changesOf(value).filter((change) => facts.isOlder(given.value, change))
    const { begin } = read
    // A `getMany` returns each value as it was when it was found; a stopped process returns it later.
    const isLate = read.op === "getMany" || facts.wasStopped(read.life, begin, end)
    this.#decidedAt = isLate ? begin.at : end.at
  }

  #broken(law: Law, text: string): void {
    this.found.push(violation(law, this.#end.at, this.#read.life, this.#given.key, text))
  }

  get #is(): string {
    return `${this.#given.value}, of ${this.#vouchedAt} ms`
  }

  judge(): void {
    const { config } = this.#facts.history
    const { stretch } = this.#facts
    if (!this.#facts.isReadable(this.#given.value, this.#read.life)) {
      this.#broken("foreign", `${this.#is}, which another release has made`)
    }
    const grace = Math.max(config.staleIfError, config.staleWhileRevalidate)
    const staleUntil = this.#vouchedAt + (config.freshFor + grace) * stretch
    const isNew = this.#vouchedAt >= this.#read.begin.at
    if (this.#decidedAt >= staleUntil && !isNew) {
      this.#broken("stale", `${this.#is}, given after ${staleUntil} ms`)
    }
    const dropped = this.#overtaken((change) => this.#drops(change), false)
    if (dropped !== undefined) this.#broken("dropped", `${this.#is}, after ${shownChange(dropped)}`)
    const overtaken = this.#overtaken(() => true, true)
    this.#judgeFresh(overtaken)
    if (this.#read.op !== "read") this.#judgeGiven(overtaken, isNew)
  }

  /** Whether a change must have dropped the value, with all that may keep it for stale-if-error. */
  #drops(change: Change): boolean {
    const { value } = this.#value
    return (
      drops(change, this.#read) &&
      // A node cannot tell another's `set` from an `expire`, and leaves its older value for stale-if-error.
      !(change.op === "set" && mayBeEvicted(this.#facts, value, change, this.#read, () => false)) &&
      !isUnplaced(this.#facts, change, this.#read) &&
      (change.life === this.#read.life || !this.#facts.isOwnUnsettled(value, this.#read.life))
    )
  }

  /**
   * ms. For how long after memory's own bound the value may be given: it is stale then, and given at once
   * while it is looked up.
   */
  get #graceOfBound(): number {
    const isFresh = this.#given.freshness === "Fresh" || !this.#read.allowStale
    return isFresh ? 0 : this.#facts.history.config.staleWhileRevalidate
  }

  /** The change that is newer than the value and that the node knows, or at least suspects. */
  #overtaken(isMeant: (change: Change) => boolean, suspects: boolean): Change | undefined {
    const { value } = this.#value
    return this.#newer.find((change) => {
      if (change.begin.order > this.#read.begin.order || !isMeant(change)) return false
      if (mayBeEvicted(this.#facts, value, change, this.#read)) return false
      const knowledge = this.#facts.knowledge(change, value, this.#read, this.#graceOfBound)
      return knowledge === "known" || (suspects && knowledge === "suspected")
    })
  }

  #judgeFresh(overtaken: Change | undefined): void {
    if (this.#given.freshness !== "Fresh") return
    const { config } = this.#facts.history
    const freshUntil = this.#vouchedAt + config.freshFor * this.#facts.stretch
    if (this.#decidedAt >= freshUntil && this.#decidedAt > this.#vouchedAt) {
      this.#broken("fresh", `${this.#is}, given as fresh after ${freshUntil} ms`)
    }
    this.#judgeBound()
    this.#judgeLag()
    if (overtaken !== undefined) {
      const law = overtaken.writes.length > 0 ? "written" : "noStaleSet"
      this.#broken(law, `${this.#is}, given as fresh after ${shownChange(overtaken)}`)
    }
  }

  /** Memory's own bound counts from when the arbiter has confirmed an entry. */
  #judgeBound(): void {
    const { maxFreshFor } = this.#facts.history.config
    if (maxFreshFor === null || this.#given.tier !== "memory") return
    const contact = this.#facts.lastContact(this.#read.life, this.#given.key, this.#end.at)
    if (this.#decidedAt <= contact + maxFreshFor * this.#facts.stretch + tierTimeout) return
    this.#broken(
      "fresh",
      `${this.#is}, fresh in memory though nothing confirmed it since ${contact} ms`,
    )
  }

  /**
   * What a replica has given is fresh until it must have the writes before. The larder counts from the last
   * change of the key, and takes another lookup for one: so from the lookup itself, at the latest.
   */
  #judgeLag(): void {
    const { config } = this.#facts.history
    const lag = lagOf(config)
    // A caller that has waited for a lookup gets its value in any case.
    if (lag === 0 || this.#vouchedAt >= this.#read.begin.at) return
    const { value } = this.#value
    const begun = Math.max(...this.#facts.vouches(value).map(({ placedAt }) => placedAt))
    if (this.#decidedAt <= begun + lag * this.#facts.stretch + lagMillis) return
    const change = this.#facts
      .changesOf(this.#value)
      .find((one) => this.#facts.lagsBehind(value, one, this.#read))
    if (change === undefined) return
    this.#broken("written", `${this.#is}, of a replica without ${shownChange(change)}`)
  }

  /** Whether a lookup failed or took too long, so that a stale value is better than none. */
  get #isExcused(): boolean {
    const { begin } = this.#read
    const { config } = this.#facts.history
    const isSlow =
      config.softTimeout !== null &&
      this.#end.at - begin.at >= config.softTimeout / this.#facts.stretch
    return isSlow || this.#facts.hasFailed(this.#given.key, begin.at, this.#end.at)
  }

  #judgeGiven(overtaken: Change | undefined, isNew: boolean): void {
    if (this.#isExcused) return
    const { begin, maxAge } = this.#read
    const { config } = this.#facts.history
    const { stretch } = this.#facts
    const isInTime =
      isNew ||
      this.#decidedAt < this.#vouchedAt + (config.freshFor + config.staleWhileRevalidate) * stretch
    if (overtaken !== undefined) {
      this.#broken("excuse", `${this.#is}, after ${shownChange(overtaken)}; no lookup had failed`)
    } else if (!isInTime) this.#broken("excuse", `${this.#is}; no lookup had failed`)
    // The age is measured by the clock at the caller's arrival.
    const isMeasured = !this.#facts.wasSet(this.#read.life, begin, this.#end)
    if (maxAge !== undefined && isMeasured && this.#vouchedAt < begin.at - maxAge * stretch - 1) {
      this.#broken("demand", `${this.#is}, for a maxAge of ${maxAge} ms`)
    }
    const freshUntil = this.#vouchedAt + config.freshFor * stretch
    const isFresh = isNew || (this.#decidedAt < freshUntil && overtaken === undefined)
    if (!this.#read.allowStale && !isFresh) this.#broken("demand", `${this.#is}, not as stale`)
    this.#judgeRefresh()
    this.#judgeChecked()
  }

  #judgeRefresh(): void {
    if (this.#read.op !== "refresh") return
    const { value } = this.#value
    const isNewer = this.#facts.vouches(value).some(({ order }) => order > this.#read.begin.order)
    if (!isNewer) this.#broken("demand", `${this.#is}, which had begun before the refresh`)
  }

  #judgeChecked(): void {
    const { check, op } = this.#read
    if (op === "refresh" || !(check || this.#facts.history.config.checked)) return
    const missed = this.#newer.find(
      (change) =>
        this.#facts.hasArrived(change, this.#read.begin) &&
        !this.#facts.mayBeLost(change, this.#end) &&
        !mayBeEvicted(this.#facts, this.#value.value, change, this.#read),
    )
    if (missed === undefined) return
    this.#broken("checked", `${this.#is}, checked after ${shownChange(missed)} had settled`)
  }
}

const ofValue = (facts: Facts, read: Read, given: Given, end: Moment): ReadonlyArray<Violation> => {
  const value = facts.history.values.get(given.value)
  const vouchedAt = facts.vouchedAt(given.value)
  if (value === undefined || value.key !== given.key || vouchedAt === undefined) {
    const text = `${given.value} was never made for it`
    return [violation("known", end.at, read.life, given.key, text)]
  }
  const judging = new Judging(facts, read, given, value, vouchedAt, end)
  judging.judge()
  return judging.found
}

const ofFailure = (
  facts: Facts,
  read: Read,
  { key, lookup }: Extract<Answer, { readonly _tag: "Failed" }>,
  end: Moment,
): ReadonlyArray<Violation> => {
  if (facts.hasFailed(key, read.begin.at, end.at, lookup)) return []
  const what = lookup === undefined ? "a timeout" : `the error of lookup ${lookup}`
  return [violation("error", end.at, read.life, key, `got ${what}, which no lookup explains`)]
}

/** A caller that left has no answer to judge. */
const isExempt = ({ left }: Read): boolean => left !== undefined

export const answers = (facts: Facts): ReadonlyArray<Violation> =>
  facts.reads.flatMap((read) => {
    const { end } = read
    if (end === undefined || isExempt(read)) return []
    return read.answers.flatMap((answer) => {
      switch (answer._tag) {
        case "Nothing":
          return []
        case "Value":
          return ofValue(facts, read, answer, end)
        case "Failed":
          return ofFailure(facts, read, answer, end)
        case "Closed":
          return read.life.closing !== undefined
            ? []
            : [violation("error", end.at, read.life, answer.key, "got LarderClosed")]
        case "Other":
          return [violation("error", end.at, read.life, answer.key, answer.text.slice(0, 300))]
      }
    })
  })
