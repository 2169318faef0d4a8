/** A history, with what the rules look up in it. */
import type {
  Answered,
  Beat,
  Change,
  Delivery,
  History,
  Life,
  Lookup,
  Moment,
  Read,
  Run,
  Value,
} from "../history/History.ts"
import { valueOf } from "../run/values.ts"
import { epoch } from "../engine/process.ts"
import {
  isSameRelease,
  lagOf,
  serversOf,
  silence,
  type Step,
  tierBudget,
  tierTimeout,
  timesOf,
} from "../plan/Plan.ts"

/** Upstream, or a caller's `set`, validated a value. */
export interface Vouch {
  /** The process that looked it up, or set it. */
  readonly life: Life
  /** Changes that began before this place in the order are older. */
  readonly order: number
  /** The place of an unsettled `set` is that which its node believed to be the arbiter's time. */
  readonly isSettled: boolean
  /** The place of a queued `set`, which it keeps; undefined where it may get another. */
  readonly version: number | undefined
  /** ms. When the value took its place in the order, at the latest. */
  readonly placedAt: number
  /** ms. */
  readonly at: number
}

/**
 * How far a node must take a change into account. `known`: it made the change, or has heard of it.
 * `suspected`: it must have noticed by now that it may have missed a message.
 */
export type Knowledge = "none" | "suspected" | "known"

interface Span {
  readonly from: Moment
  readonly to: Moment
}

/** ms. The most by which a place that a node is sure of is before its moment. */
const placeMillis = 25

/** ms. After a disturbance, a breaker may be open. */
const recoveryMillis = 4_000

const never: Moment = { order: Infinity, at: Infinity }

const grouped = <A>(all: ReadonlyArray<A>, keyOf: (one: A) => unknown) =>
  Map.groupBy(all, keyOf) as ReadonlyMap<unknown, ReadonlyArray<A>>

export class Facts {
  readonly history: History
  readonly changes: ReadonlyArray<Change>
  readonly reads: ReadonlyArray<Read>
  /** How much longer a machine with a wrong clock may take for a duration. */
  readonly stretch: number
  readonly #byKey: ReadonlyMap<unknown, ReadonlyArray<Change>>
  readonly #marks: ReadonlyArray<Change>
  readonly #lookups: ReadonlyMap<unknown, ReadonlyArray<Lookup>>
  readonly #runs: ReadonlyMap<number, Run>
  readonly #vouches = new Map<number, Array<Vouch>>()
  /** The highest `schemaVersion` of all processes. */
  readonly #newestSchema: number
  /** By life, then by key; undefined for marks. */
  readonly #deliveries: ReadonlyMap<Life, ReadonlyMap<unknown, ReadonlyArray<Delivery>>>
  readonly #answers: ReadonlyMap<unknown, ReadonlyArray<Answered>>
  readonly #beats: ReadonlyMap<unknown, ReadonlyArray<Beat>>
  /** By node, when its process stood still. */
  readonly #stops: ReadonlyMap<unknown, ReadonlyArray<Span>>
  /** From when a replica was taken until it took the place of the arbiter. */
  readonly #losses: ReadonlyArray<Span>
  /** By node, when messages to it were disturbed. */
  readonly #unheard: ReadonlyMap<unknown, ReadonlyArray<Span>>
  /** By node, when requests to the arbiter or a process were disturbed. */
  readonly #disturbances: ReadonlyMap<unknown, ReadonlyArray<Span>>

  constructor(history: History) {
    this.history = history
    this.changes = history.calls.filter((call) => call._tag === "Change")
    this.reads = history.calls.filter((call) => call._tag === "Read")
    this.#byKey = grouped(
      this.changes.filter(({ key }) => key !== undefined),
      ({ key }) => key,
    )
    this.#marks = this.changes.filter(({ key }) => key === undefined)
    this.#lookups = grouped(history.lookups, ({ key }) => key)
    this.#deliveries = new Map(
      [...Map.groupBy(history.deliveries, ({ life }) => life)].map(([life, all]) => [
        life,
        grouped(all, ({ message }) => (message._tag === "Changed" ? message.key : undefined)),
      ]),
    )
    this.#answers = grouped(history.answers, ({ life }) => life)
    this.#beats = grouped(history.beats, ({ life }) => life)
    this.#newestSchema = Math.max(...history.lives.map(({ release }) => release.schemaVersion))
    this.stretch = history.steps.some(({ step }) => step._tag === "drift") ? 1.001 : 1
    for (const change of this.changes) {
      const { begin, end, settled: isSettled, value } = change
      if (value === undefined || this.#isMadeLater(change)) continue
      const at = end?.at ?? begin.at
      const version = this.#placeOf(change)
      const { life } = change
      this.#vouch(value, {
        life,
        order: end?.order ?? Infinity,
        at,
        placedAt: at,
        isSettled,
        version,
      })
    }
    for (const { begin, end, life, outcome, value } of history.lookups) {
      if (end === undefined || value === undefined) continue
      if (outcome === "value" || outcome === "renewed") {
        const { at: placedAt, order } = begin
        this.#vouch(value, {
          life,
          order,
          at: end.at,
          placedAt,
          isSettled: true,
          version: undefined,
        })
      }
    }
    for (const { at, call, made } of history.runs) {
      const place = call.transaction === undefined ? at : call.transaction.committed
      // What was not committed is nobody's value.
      if (made === undefined || place === undefined) continue
      const { end, life } = call
      this.#vouch(made, {
        life,
        order: place.order,
        at: end?.at ?? life.killed?.at ?? place.at,
        placedAt: place.at,
        isSettled: true,
        version: undefined,
      })
    }
    this.#runs = new Map(
      history.runs.flatMap((run) => (run.made === undefined ? [] : [[run.made, run] as const])),
    )
    const { nodes } = history.config
    const places = Array.from({ length: nodes }, (_, node) => node)
    this.#stops = new Map(
      places.map((node) => [
        node,
        this.#spans((step) => this.#isOn(step, node, "pause", "resume")),
      ]),
    )
    this.#losses = this.#spans((step) =>
      step._tag === "replicate" ? true : step._tag === "failover" ? false : undefined,
    ).filter(({ to }) => this.#isStep(to, "failover"))
    this.#disturbances = new Map(places.map((node) => [node, this.#disturbed(node)]))
    this.#unheard = new Map(
      places.map((node) => [
        node,
        this.#spans((step) =>
          this.#isAt(step, node) && step._tag === "messages"
            ? step.condition !== "prompt"
            : undefined,
        ),
      ]),
    )
  }

  /** A node that knows the arbiter's time only vaguely finds another place for a queued `set` later. */
  #placeOf({ end, settled, version }: Change): number | undefined {
    if (settled || end === undefined || this.history.config.tierWrites !== "background") {
      return undefined
    }
    return version > (epoch + end.at - placeMillis) * 1_000 ? version : undefined
  }

  /** Whether a run of its function or effect makes the value, rather than the caller. */
  #isMadeLater({ op }: Change): boolean {
    return op === "through" || op === "update"
  }

  /** The run that made a value. */
  runOf(value: number | undefined): Run | undefined {
    return value === undefined ? undefined : this.#runs.get(value)
  }

  /**
   * What is from before this moment is older than the change. The source has what an effect writes from its
   * last write on, whatever a lookup that began before that may bring.
   */
  placeOf({ begin, writes }: Change): Moment {
    return writes.at(-1) ?? begin
  }

  #vouch(value: number, vouch: Vouch): void {
    const known = this.#vouches.get(value)
    if (known === undefined) this.#vouches.set(value, [vouch])
    else known.push(vouch)
  }

  #isStep({ order }: Moment, _tag: Step["_tag"]): boolean {
    return this.history.steps.some(({ at, step }) => at.order === order && step._tag === _tag)
  }

  /** From the steps that begin something to those that end it, or to the healing of all. */
  #spans(isOn: (step: Step) => boolean | undefined): ReadonlyArray<Span> {
    const spans: Array<Span> = []
    let from: Moment | undefined
    for (const { at, step } of this.history.steps) {
      const on = isOn(step)
      if (on === true) from ??= at
      if (on !== false || from === undefined) continue
      spans.push({ from, to: at })
      from = undefined
    }
    return from === undefined ? spans : [...spans, { from, to: this.history.healed }]
  }

  /** Whether a step begins (true) or ends (false) something at a node. */
  #isOn(step: Step, node: number, begin: Step["_tag"], end: Step["_tag"]): boolean | undefined {
    if (!this.#isAt(step, node)) return undefined
    return step._tag === begin ? true : step._tag === end ? false : undefined
  }

  #isAt(step: Step, node: number): boolean {
    return "node" in step && step.node % this.history.config.nodes === node
  }

  #disturbed(node: number): ReadonlyArray<Span> {
    const isHere = (step: Step) => this.#isAt(step, node)
    const kinds: ReadonlyArray<(step: Step) => boolean | undefined> = [
      (step) =>
        isHere(step) && (step._tag === "requests" || step._tag === "file")
          ? step.condition !== "prompt"
          : undefined,
      (step) => this.#isOn(step, node, "partition", "heal"),
      (step) => this.#isOn(step, node, "pause", "resume"),
      (step) => this.#isOn(step, node, "kill", "start"),
      (step) =>
        step._tag === "pauseArbiter" ? true : step._tag === "resumeArbiter" ? false : undefined,
      (step) => (isHere(step) && step._tag === "drift" ? true : undefined),
      ...Array.from({ length: serversOf(this.history.config) }, (_, server) => (step: Step) => {
        if (!("server" in step) || step.server !== server) return undefined
        return step._tag === "serverAway"
      }),
    ]
    const moments = this.history.steps
      .filter(
        ({ step }) =>
          ["flush", "evict", "failover"].includes(step._tag) ||
          (isHere(step) && ["clock", "restart", "start"].includes(step._tag)),
      )
      .map(({ at }) => ({ from: at, to: at }))
    return [...kinds.flatMap((kind) => this.#spans(kind)), ...moments]
  }

  vouches(value: number): ReadonlyArray<Vouch> {
    return this.#vouches.get(value) ?? []
  }

  /** When the value was last validated before a place in the order, ms; undefined for never. */
  vouchedAt(value: number): number | undefined {
    const all = this.vouches(value).map(({ at }) => at)
    return all.length === 0 ? undefined : Math.max(...all)
  }

  /**
   * Whether both processes are of one release that no newer one disturbs: each reads what the other stores,
   * unless a release with the same `schemaVersion` has stored something else in between.
   */
  areOfNewest({ release: one }: Life, { release: other }: Life): boolean {
    return one.schemaVersion === this.#newestSchema && isSameRelease(one, other)
  }

  /** Whether there are several releases. */
  get isMixed(): boolean {
    const [first, ...others] = this.history.lives
    return others.some(({ release }) => !isSameRelease(release, first!.release))
  }

  /**
   * Whether a value that a node cannot read may be in place of the one that it brought, and ends the freshness of
   * what it looks up next: with `replicaLag` it counts as a change of the key.
   */
  get isLagMixed(): boolean {
    return this.isMixed && lagOf(this.history.config) > 0
  }

  /** Whether releases with the newest `schemaVersion` cannot read each other's values. */
  get isNewestMixed(): boolean {
    const { lives } = this.history
    const newest = lives.filter(({ release }) => release.schemaVersion === this.#newestSchema)
    return newest.some(({ release }) => !isSameRelease(release, newest[0]!.release))
  }

  /**
   * Whether a process has looked the value up, or set it, whose release writes it as this process reads it:
   * `undefined` has no bytes, and so no box.
   */
  isReadable(value: number, { release }: Life): boolean {
    return this.vouches(value).some(
      ({ life: { release: other } }) =>
        isSameRelease(other, release) ||
        (other.schemaVersion === release.schemaVersion && valueOf(value) === undefined),
    )
  }

  /**
   * Whether a lookup has brought the value, by nodes that are well, from a replica that did not have the
   * change, which began before the lookup: then the value is fresh only until replicas have it.
   */
  lagsBehind(value: number, change: Change, read: Read): boolean {
    const { end, settled } = change
    if (!settled || end === undefined || change.writes.length === 0) return false
    const place = this.placeOf(change)
    const { key } = this.history.values.get(value)!
    const brought = this.lookups(key).filter((lookup) => lookup.value === value)
    const until = (read.end ?? read.begin).at
    return (
      brought.length > 0 &&
      brought.every(
        ({ begin, lagsFrom, life }) =>
          lagsFrom !== undefined &&
          lagsFrom.order <= place.order &&
          place.order < begin.order &&
          [life, read.life, change.life].every(
            (by) =>
              this.isUndisturbed(by, place.at - recoveryMillis, until) &&
              this.isHeard(by, place.at - recoveryMillis, until),
          ),
      )
    )
  }

  lookups(key: string): ReadonlyArray<Lookup> {
    return this.#lookups.get(key) ?? []
  }

  /** The changes that concern a value, whose tags decide which marks cover it. */
  changesOf({ key, tags, value }: Value): ReadonlyArray<Change> {
    const ofKey = (this.#byKey.get(key) ?? []).filter(
      (change) => change.value !== value && !change.isIdle,
    )
    const marks = this.#marks.filter(
      (mark) => mark.op === "clear" || mark.tags.some((tag) => tags.includes(tag)),
    )
    return marks.length === 0 ? ofKey : [...ofKey, ...marks]
  }

  /** The changes that may concern a key, whatever the tags of its values. */
  changesOfKey(key: string): ReadonlyArray<Change> {
    return [...(this.#byKey.get(key) ?? []), ...this.#marks]
  }

  /**
   * Whether every validation of the value is older than the change. What is not settled has a place
   * in the order that its node believed, up to the time of a trip before or after its own.
   */
  isOlder(value: number, change: Change): boolean {
    const { settled } = change
    const place = this.placeOf(change)
    return this.vouches(value).every((vouch) => {
      const { isSettled, order, placedAt, version = Infinity } = vouch
      if (order >= place.order) return false
      if (placedAt + tierTimeout < place.at) return true
      return (
        settled &&
        (isSettled || version < change.version) &&
        !this.#isPlacedAfter(value, vouch, change)
      )
    })
  }

  /**
   * Whether the process has placed an own missed change of the key, which is known up to the time of a trip,
   * after this one. What it vouches for later comes after both.
   */
  #isPlacedAfter(value: number, { life, order }: Vouch, { version }: Change): boolean {
    return this.changesOfKey(this.history.values.get(value)!.key).some(
      (own) =>
        own.life === life &&
        !own.settled &&
        own.end !== undefined &&
        own.end.order < order &&
        own.version > version,
    )
  }

  /**
   * Whether a process has set the value and the arbiter does not have it yet. While the arbiter's time is
   * unknown, the process cannot tell whether another node's change came later, and keeps the value for
   * stale-if-error.
   */
  isOwnUnsettled(value: number, life: Life): boolean {
    return this.changes.some(
      (change) => change.value === value && change.life === life && !change.settled,
    )
  }

  /** The messages about a key that a process has received before a moment. */
  messagesOf(life: Life, key: string, before: Moment): ReadonlyArray<Delivery> {
    const all = this.#deliveries.get(life)?.get(key) ?? []
    return all.filter(({ at }) => at.order < before.order)
  }

  /** Whether a read gave a value past its freshness. */
  isStale({ answers, end }: Read, key: string): boolean {
    return answers.some((answer) => {
      if (answer._tag !== "Value" || answer.key !== key) return false
      if (answer.freshness !== undefined) return answer.freshness === "Stale"
      const vouchedAt = this.vouchedAt(answer.value)
      const { freshFor } = this.history.config
      return (
        vouchedAt !== undefined &&
        end !== undefined &&
        end.at >= vouchedAt + freshFor / this.stretch
      )
    })
  }

  /** How much of a time a node's process ran, ms. */
  active({ node }: Life, from: number, to: number): number {
    let active = Math.max(0, to - from)
    for (const stop of this.#stops.get(node) ?? []) {
      active -= Math.max(0, Math.min(to, stop.to.at) - Math.max(from, stop.from.at))
    }
    return active
  }

  /** Whether a process lived until all had healed. */
  livesOn({ closing, killed }: Life): boolean {
    const end = (killed ?? closing ?? never).order
    return end > this.history.quiet.order
  }

  wasStopped({ node }: Life, from: Moment, to: Moment | undefined): boolean {
    return (this.#stops.get(node) ?? []).some(
      (stop) => stop.from.order < (to ?? never).order && stop.to.order > from.order,
    )
  }

  /** Whether nothing disturbed the requests of a node between these times. */
  isUndisturbed({ node }: Life, from: number, to: number): boolean {
    return (this.#disturbances.get(node) ?? []).every(
      (span) => span.from.at > to || span.to.at < from,
    )
  }

  /**
   * Whether a failover before a moment may have lost the change. What is not settled may arrive, and
   * be lost, later.
   */
  mayBeLost({ begin, end, settled }: Change, before: Moment): boolean {
    const ended = settled && end !== undefined ? end.order : Infinity
    return this.#losses.some(
      ({ from, to }) => begin.order < to.order && ended > from.order && to.order < before.order,
    )
  }

  /** Whether the arbiter lost records, leases among them, between these moments. */
  hasForgotten(from: Moment, to: Moment): boolean {
    return this.history.steps.some(
      ({ at, step }) =>
        (step._tag === "flush" || step._tag === "failover") &&
        at.order > from.order &&
        at.order < to.order,
    )
  }

  /** Whether what the arbiter answered a node may have been damaged between these moments. */
  mayBeDamaged({ node }: Life, from: Moment, to: Moment): boolean {
    return this.#spans((step) =>
      this.#isAt(step, node) && step._tag === "requests"
        ? step.condition === "corrupt" || step.condition === "lossy"
        : undefined,
    ).some((span) => span.from.order < to.order && span.to.order > from.order)
  }

  /** Whether nothing disturbed the messages to a node between these times. */
  isHeard({ node }: Life, from: number, to: number): boolean {
    return (this.#unheard.get(node) ?? []).every((span) => span.from.at > to || span.to.at < from)
  }

  /** Whether the clock of a node was set between these moments. */
  wasSet({ node }: Life, from: Moment, to: Moment): boolean {
    return this.history.steps.some(
      ({ at, step }) =>
        step._tag === "clock" &&
        this.#isAt(step, node) &&
        at.order > from.order &&
        at.order < to.order,
    )
  }

  /** Whether the arbiter has a change before a moment: it, or a later one of its process, was settled. */
  hasArrived({ end, failure, life, settled }: Change, before: Moment): boolean {
    if (end === undefined || failure !== undefined || end.order >= before.order) return false
    if (settled) return true
    return this.changes.some(
      (later) =>
        later.settled &&
        later.life === life &&
        later.begin.order > end.order &&
        later.end!.order < before.order,
    )
  }

  /** Whether the arbiter has answered a process between these times, ms. */
  hasAnswered(life: Life, from: number, to: number): boolean {
    return (this.#answers.get(life) ?? []).some(({ at }) => at > from && at < to)
  }

  /**
   * Whether a process knows that the change of this version came before a moment: its messages apart, it
   * knows the arbiter's time up to a trip.
   */
  isSurelyBefore(version: number, life: Life, moment: Moment): boolean {
    const isTimeKnown =
      this.hasAnswered(life, life.from.at, moment.at) && !this.wasStopped(life, life.from, moment)
    return isTimeKnown && version < (epoch + moment.at - 2 * tierTimeout) * 1_000
  }

  /**
   * Whether the process that set a value knew, in time for every request that reaches the arbiter after this
   * moment, that a change came after the value.
   */
  isKnownLater(change: Change, { at, life }: Vouch, moment: Moment): boolean {
    return (
      change.begin.at > at + 2 * tierTimeout &&
      this.hasAnswered(life, life.from.at, at) &&
      !this.wasStopped(life, life.from, moment) &&
      this.messagesOf(life, change.key!, moment).some(
        (delivery) =>
          delivery.message._tag === "Changed" &&
          delivery.message.version === change.version &&
          delivery.at.at < moment.at - 2 * tierTimeout,
      )
    )
  }

  /** When a process last heard of the arbiter, or of upstream or a caller about a key, ms. */
  lastContact(life: Life, key: string, before: number): number {
    let last = life.from.at
    const note = (at: number): void => {
      if (at <= before && at > last) last = at
    }
    for (const { at } of this.#answers.get(life) ?? []) note(at)
    for (const { end, life: by } of this.lookups(key)) if (by === life && end) note(end.at)
    for (const { end, life: by } of this.changesOfKey(key)) if (by === life && end) note(end.at)
    return last
  }

  /**
   * No stale set: a node that is well has looked the value up from before a change until after it, and the
   * arbiter's answer to the commit told of the change. Two trips, where that is a mark: callers who come
   * meanwhile join the lookup.
   */
  isStaleSet({ begin, end, settled }: Change, value: number, key: string, read: Read): boolean {
    if (!settled || end === undefined || end.order >= read.begin.order) return false
    const { latency } = this.history.config
    return this.lookups(key).some(
      (lookup) =>
        lookup.value === value &&
        lookup.life === read.life &&
        lookup.end !== undefined &&
        lookup.begin.order < begin.order &&
        lookup.end.order > end.order &&
        read.begin.at > lookup.end.at + 4 * latency + 1 &&
        this.isUndisturbed(read.life, lookup.begin.at - recoveryMillis, read.begin.at),
    )
  }

  /**
   * What the node of a read knows of a change of a value by its messages, and by their absence. `grace`: ms
   * after memory's own bound for which the value may be given all the same.
   */
  knowledge(change: Change, value: number, read: Read, grace: number): Knowledge {
    const { begin: came, isFinal, life } = read
    const { end, life: maker, settled } = change
    if (end === undefined || change.failure !== undefined || end.order >= came.order) return "none"
    if (this.mayBeLost(change, read.end ?? never)) return "none"
    if (maker === life) return "known"
    // What was not settled arrives when all has healed, unless its process has ended before. A record
    // that the arbiter no longer has confirms nothing, and leaves older values for stale-if-error.
    const least = isFinal && (settled || this.livesOn(maker)) ? "suspected" : "none"
    if (!settled) return least
    const { config } = this.history
    // What the file has from before the process began may be served if upstream fails.
    if (end.order < life.from.order) return config.file ? "suspected" : "known"
    const { key } = this.history.values.get(value)!
    if (this.isStaleSet(change, value, key, read)) return "suspected"
    const heard = this.#heard(change, life, came)
    if (heard === "itself") return config.file && life.number > 0 ? "suspected" : "known"
    if (this.#joins(value, key, read)) return least
    const isSuspected =
      heard === "later" ||
      this.#suspects(end, life, came) ||
      this.#isPastBound({ ...change, end }, value, read, grace)
    return isSuspected ? "suspected" : least
  }

  /** Whether a process has received the message of a change before a moment. */
  hasHeard(change: Change, life: Life, before: Moment): boolean {
    return this.#heard(change, life, before) === "itself"
  }

  /** Whether a node has heard of a change itself, or of a later one of the key, which says less. */
  #heard({ key, version }: Change, life: Life, came: Moment): "itself" | "later" | undefined {
    let heard: "later" | undefined
    for (const { at, message } of this.#deliveries.get(life)?.get(key) ?? []) {
      if (at.order >= came.order) break
      if (key === undefined) {
        if (message._tag === "Marked" && message.numbers.includes(version)) return "itself"
      } else if (message._tag === "Changed" && version > 0) {
        if (message.version === version) return "itself"
        if (message.version > version) heard = "later"
      }
    }
    return heard
  }

  /** Whether the caller joined the lookup of the value, which began before a gap, or its commit. */
  #joins(value: number, key: string, { begin, life }: Read): boolean {
    return this.lookups(key).some(
      ({ end, life: by, value: looked }) =>
        by === life &&
        looked === value &&
        this.active(life, end!.at, begin.at) <= tierTimeout * this.stretch,
    )
  }

  #suspects(end: Moment, life: Life, came: Moment): boolean {
    const { latency } = this.history.config
    if (this.active(life, end.at, came.at) <= silence * this.stretch + latency) return false
    // In a gap since before the change: what the node has read since then is fresh for it.
    return this.#lastBeat(life, came.at) + silence > end.at
  }

  /** Whether memory's own bound, and the grace, have ended since the change, and since the value was made. */
  #isPastBound(
    { end, key }: Change & { end: Moment },
    value: number,
    { begin, life }: Read,
    grace: number,
  ): boolean {
    const { maxFreshFor } = this.history.config
    if (maxFreshFor === null || key === undefined) return false
    const from = Math.max(end.at, this.vouchedAt(value) ?? end.at)
    return this.active(life, from, begin.at) > (maxFreshFor + grace) * this.stretch + tierBudget
  }

  /** When the last heartbeat that arrived before this moment was sent; the begin counts as one. */
  #lastBeat(life: Life, before: number): number {
    let last = life.from.at
    for (const { at, sentAt } of this.#beats.get(life) ?? []) {
      if (at < before && sentAt > last) last = sentAt
    }
    return last
  }

  /**
   * When a lookup failed, or took longer than its deadline; undefined if it did neither. A process that
   * was killed left it without an end.
   */
  failedAt({ begin, end, outcome }: Lookup): number | undefined {
    const deadline = begin.at + this.history.config.hardTimeout / this.stretch
    if (end !== undefined && end.at < deadline) {
      return outcome === "failed" ? end.at : undefined
    }
    return deadline
  }

  /** Whether a lookup of the key failed so recently that it counts for a caller. */
  hasFailed(key: string, came: number, now: number, number?: number): boolean {
    const { retryAfterFailure } = timesOf(this.history.config)
    const since = came - retryAfterFailure * this.stretch - tierBudget
    return this.lookups(key).some((lookup) => {
      if (number !== undefined && lookup.number !== number) return false
      const at = this.failedAt(lookup)
      return at !== undefined && at >= since && at <= now
    })
  }
}
