/**
 * Deliberate defects of the larder, as edits of its sources. A test fails when changed source lines no
 * longer fit an edit.
 */
import type { Edit } from "@larder/mutate/copy"

export interface Defect {
  readonly name: string
  /** What the defective larder does. */
  readonly what: string
  /** Edits that are no defect, such as a smaller limit: without `edits` they must pass. */
  readonly given?: ReadonlyArray<Edit>
  readonly edits: ReadonlyArray<Edit>
}

const core = "packages/core/src"
const internal = `${core}/internal`

export const defects: ReadonlyArray<Defect> = [
  {
    name: "token-ignored",
    what: "the arbiter stores a commit whatever its token",
    edits: [
      {
        file: `${core}/Arbitration.ts`,
        from: `  if (stored.version >= token) return "Superseded"
  if (lease === undefined) return "Lost"
  if (lease.token !== token) return "Superseded"
  return lease.until === undefined ? "Lost" : "Stored"
`,
        to: `  return lease === undefined || stored.version < 0 || token < 0 ? "Lost" : "Stored"
`,
      },
    ],
  },
  {
    name: "flight-not-detached",
    what: "a change leaves the running lookup of its key, which later callers join",
    edits: [
      {
        file: `${internal}/state/flightTable.ts`,
        from: `    if (flight !== undefined) {
      flight.detached = true
      this.#joinable.free(flight)
    }
    for (const older of this.#displaced.get(k) ?? []) older.detached = true`,
        to: `    for (const older of this.#displaced.get(k) ?? []) if (older !== flight) older.detached = true`,
      },
    ],
  },
  {
    name: "wrong-mark-number",
    what: "a mark covers an entry only if the mark is newer than the entry's version, not its asOf",
    edits: [
      {
        file: `${internal}/invalidation/marks.ts`,
        from: `      if (mark !== undefined && mark.number > asOf) return true`,
        to: `      if (mark !== undefined && mark.number > asOf && mark.number > entry.version + 1_000) return true`,
      },
    ],
  },
  {
    name: "floor-not-raised",
    what: "a node does not take over the floor of an arbiter that has forgotten marks",
    given: [
      {
        file: `${internal}/runtime/limits.ts`,
        from: `export const maxMarks = 100_000`,
        to: `export const maxMarks = 1`,
      },
    ],
    edits: [
      {
        file: `${internal}/invalidation/marks.ts`,
        from: `    const rises = [this.#keeping.raise(page.floor), this.#dropping.raise(page.dropFloor)]`,
        to: `    const rises: ReadonlyArray<boolean> = []`,
      },
    ],
  },
  {
    name: "adopted-entry-restarts",
    what: "an entry read from a farther tier begins its freshness anew",
    edits: [
      {
        file: `${internal}/tier/codec.ts`,
        from: `        return this.#foundEntry(version === entry.version ? entry : { ...entry, version })`,
        to: `        const age = this.#options.clock.currentTimeMillisUnsafe() - entry.storedAt
        const young = entry.freshUntil > entry.storedAt + age ? Entry.shift(entry, Math.max(0, age)) : entry
        return this.#foundEntry({ ...young, version })`,
      },
    ],
  },
  {
    name: "soft-timeout-dropped",
    what: "a lookup that softTimeout leaves behind ends with its last caller",
    edits: [
      {
        file: `${internal}/flight/waiters.ts`,
        from: `  if (reason === "revalidating" || reason === "softTimeout")
    goesOnInBackground(engine, flight, reason)
  release(engine, flight, waiter)`,
        to: `  leave(engine, flight, waiter)`,
      },
    ],
  },
  {
    name: "node-clock-versions",
    what: "a change that the arbiter missed takes its place by the node's clock",
    edits: [
      {
        file: `${internal}/tier/tierClock.ts`,
        from: `    const millis = this.#ahead[bound] + moment`,
        to: `    const millis = this.#clock.currentTimeMillisUnsafe() - monotonicMillis(this.#clock) + moment`,
      },
    ],
  },
  {
    name: "memory-before-arbiter",
    what: "a change drops memory's entry before the arbiter has applied the change, and not after it",
    edits: [
      {
        file: `${internal}/write/change.ts`,
        from: `    const answer = arbiter === undefined ? undefined : yield* apply(engine, arbiter, k, sent, known)`,
        to: `    engine.near.delete(k)
    const answer = arbiter === undefined ? undefined : yield* apply(engine, arbiter, k, sent, known)`,
      },
      {
        file: `${internal}/write/follow.ts`,
        from: `      // A flight that began while the arbiter was asked may have read the value from before the change.
      begun(engine, k, change._tag)
`,
        to: "",
      },
      {
        file: `${internal}/write/follow.ts`,
        from: `      if (engine.changes.end(k, turn, version)) changeMemory(engine, k, applying, placed)
      // Race: another change of the key began meanwhile, here or on another node, and memory cannot tell
      // which came last.
      else engine.near.delete(k)
`,
        to: `      engine.changes.end(k, turn, version)
`,
      },
    ],
  },
  {
    name: "gap-ignored",
    what: "a node that may have missed messages trusts its memory",
    edits: [
      {
        file: `${internal}/backplane/gap.ts`,
        from: `  suspectAll(engine, part)
`,
        to: "",
      },
    ],
  },
  {
    name: "tombstone-too-short",
    what: "the arbiter forgets a removal after 20 ms",
    edits: [
      {
        file: `${internal}/arbitrate/shelf.ts`,
        from: `    const expiresAt = after(now, 2 * this.#settleMillis)`,
        to: `    const expiresAt = after(now, 20)`,
      },
    ],
  },
  {
    name: "lease-never-renewed",
    what: "a slow lookup does not renew its lease",
    edits: [
      {
        file: `${internal}/flight/lease.ts`,
        from: `  let timer = schedule()
  return () => {`,
        to: `  let timer: ReturnType<typeof schedule> | undefined
  return () => {`,
      },
    ],
  },
  {
    name: "wrong-flight",
    what: "a lookup that ends answers the callers of the latest lookup of the key",
    edits: [
      {
        file: `${internal}/state/flightTable.ts`,
        from: `    if (settling === undefined) this.settled(flight)
    if (flight.outcome !== undefined) return
    flight.settling = settling
    flight.outcome = outcome
    try {
      flight.waiters.drain(answer)`,
        to: `    const answered = this.#joinable.at(flight.k) ?? flight
    if (settling === undefined) this.settled(flight)
    if (flight.outcome !== undefined) return
    flight.settling = settling
    flight.outcome = outcome
    try {
      if (answered !== flight) answered.waiters.drain(answer)
      flight.waiters.drain(answer)`,
      },
    ],
  },
  {
    name: "overflow-forgets",
    what: "more missed changes than a node remembers are forgotten",
    given: [
      {
        file: `${internal}/runtime/limits.ts`,
        from: `export const missedKeys = 1_000`,
        to: `export const missedKeys = 0`,
      },
      // A mark takes the place of what does not fit, and leaves older values for stale-if-error.
      {
        file: "packages/simulate/src/check/answers.ts",
        from: `const drops = ({ keepStale, life, op }: Change, by: Read): boolean => {
`,
        to: `const drops = ({ keepStale, life, op, settled }: Change, by: Read): boolean => {
  if (!settled) return false
`,
      },
    ],
    edits: [
      {
        file: `${internal}/state/missedChanges.ts`,
        from: `    this.#keys.clear()
    this.keysForgotten = true
    this.addMarks([undefined], true)`,
        to: `    this.#keys.clear()`,
      },
    ],
  },
  {
    name: "cap-from-adoption",
    what: "maxFreshFor of memory counts from when an entry was taken over, not confirmed",
    edits: [
      {
        file: `${internal}/state/localEntries.ts`,
        from: `    const age = monotonicMillis(this.#clock) - confirmedAt
    return this.#clock.currentTimeMillisUnsafe() - age + this.#maxFreshFor`,
        to: `    const age = confirmedAt > 0 ? 0 : confirmedAt
    return this.#clock.currentTimeMillisUnsafe() - age + this.#maxFreshFor`,
      },
    ],
  },
  {
    name: "commit-despite-mark",
    what: "a value is kept although the answer to its commit tells of newer marks",
    edits: [
      {
        file: `${internal}/tier/tierMarks.ts`,
        from: `      this.reading?.hear(lastMark)
      return Effect.map(this.read("latest"), (knowsMarks) => ({ answer, knowsMarks }))`,
        to: `      return Exit.succeed({ answer, knowsMarks: true })`,
      },
    ],
  },
  {
    name: "message-twice",
    what: "a message with a value that comes again, or late, is applied again",
    edits: [
      {
        file: `${internal}/backplane/receive.ts`,
        from: `  if (isNews && envelope !== undefined) {`,
        to: `  if (envelope !== undefined) {`,
      },
      {
        file: `${internal}/backplane/pushed.ts`,
        from: `    if (kept !== undefined) {
`,
        to: `    if (kept !== undefined) {
      engine.near.delete(k)
`,
      },
    ],
  },
  {
    name: "settled-too-early",
    what: "a change counts as settled although the arbiter did not answer",
    edits: [
      {
        file: `${internal}/write/change.ts`,
        from: `    const isHeard = applied !== undefined && (yield* isAllHeard(engine, caughtUp, queuedBefore))`,
        to: `    const isHeard = applied === undefined || (yield* isAllHeard(engine, caughtUp, queuedBefore))`,
      },
    ],
  },
  {
    name: "not-coalesced",
    what: "callers do not join a running lookup",
    edits: [
      {
        file: `${internal}/state/flightTable.ts`,
        from: `    return this.#joinable.at(k)
  }

  /** Whether a looked-up`,
        to: `    return this.#joinable.at(k)?.settling === undefined ? undefined : this.#joinable.at(k)
  }

  /** Whether a looked-up`,
      },
    ],
  },
  {
    name: "message-ignored",
    what: "a node that is told of a change keeps the older entry in its memory as fresh",
    edits: [
      {
        file: `${internal}/backplane/changed.ts`,
        from: `  const older = engine.entries.outdate(key, version, isRemoval, engine.now())
`,
        to: `  const older = undefined
`,
      },
    ],
  },
  {
    name: "replay-over-others",
    what: "the replay of a missed change removes what another node has set since",
    edits: [
      {
        file: `${internal}/recover/sendMissed.ts`,
        from: `    return Effect.map(arbiter.writes.write(k, { _tag: "Remove", at }, 0), (written) => {`,
        to: `    return Effect.map(arbiter.writes.write(k, { _tag: "Remove", at: at + 1e9 }, 0), (written) => {`,
      },
    ],
  },
  {
    name: "newer-overwritten",
    what: "an older release stores what it looks up over the entry of a newer one",
    edits: [
      {
        file: `${internal}/tier/codec.ts`,
        from: `        return { _tag: "Foreign", version: usable(decoded.version) }`,
        to: `        return { _tag: "Nothing", version: usable(decoded.version) }`,
      },
    ],
  },
  {
    name: "never-repaired",
    what: "a lookup does not replace bytes that its node cannot decode",
    edits: [
      {
        file: `${internal}/tier/codec.ts`,
        from: `    return { _tag: "Nothing", version, isUndecodable: true }`,
        to: `    return { _tag: "Foreign", version }`,
      },
    ],
  },
  {
    name: "schema-ignored",
    what: "a release reads entries that another one wrote under another schemaVersion",
    edits: [
      {
        file: `${core}/Envelope.ts`,
        from: `    if (parsed.schemaVersion !== context.schemaVersion) {`,
        to: `    if (parsed.schemaVersion > context.schemaVersion + 1) {`,
      },
    ],
  },
  {
    name: "undecodable-thrown",
    what: "bytes that cannot be decoded are an error for the caller",
    edits: [
      {
        file: `${internal}/tier/codec.ts`,
        from: `    return { _tag: "Nothing", version, isUndecodable: true }`,
        to: `    throw new Error(\`\${reason} \${version}\`)`,
      },
    ],
  },
  {
    name: "through-token-ignored",
    what: "through sets its value though something has come in between",
    edits: [
      {
        file: `${internal}/write/through.ts`,
        from: `      if (stored._tag === "Refused") {
`,
        to: `      if (stored._tag === "Refused") {
        if (claim.token > 0) return setAsOf(engine, { key, k }, kept, kept.entry.asOf)
`,
      },
    ],
  },
  {
    name: "through-refused-kept",
    what: "through leaves the key as it is where the arbiter refuses its value",
    edits: [
      {
        file: `${internal}/write/through.ts`,
        from: `      if (stored._tag === "Refused") {
`,
        to: `      if (stored._tag === "Refused") {
        if (claim.token > 0) return Effect.void
`,
      },
    ],
  },
  {
    name: "update-tombstone-ignored",
    what: "update sees the value in memory where the arbiter knows that it was removed",
    edits: [
      {
        file: `${internal}/write/claimWhenFree.ts`,
        from: `          here = found._tag === "Entry" ? judgeable(engine, found, true) : undefined`,
        to: `          here = found._tag === "Entry" ? judgeable(engine, found, true) : here`,
      },
      {
        file: `${internal}/write/claimWhenFree.ts`,
        from: `  if (storedVersion !== undefined && here?.version === storedVersion) {`,
        to: `  if (here !== undefined) {`,
      },
    ],
  },
  {
    name: "update-twice",
    what: "update runs its function again where the answer to its commit was lost",
    edits: [
      {
        file: `${internal}/write/update.ts`,
        from: `        ? recognised(engine, arbiter, keyed, claim, next)`,
        to: `        ? Effect.succeed<Stored>({ _tag: "Refused" })`,
      },
    ],
  },
  {
    name: "update-refusal-ignored",
    what: "update says that a value is stored which the arbiter has refused",
    edits: [
      {
        file: `${internal}/write/update.ts`,
        from: `    else if (done.value._tag === "Refused") return undefined`,
        to: `    else if (done.value._tag === "Refused") doubt.isOpen = false`,
      },
    ],
  },
  {
    name: "update-failure-ignored",
    what: "an update whose function failed leaves the value as it was",
    edits: [
      {
        file: `${internal}/write/update.ts`,
        from: `      failed(engine, doubt, exit, untouched)
      yield* giveUp`,
        to: `      yield* giveUp`,
      },
    ],
  },
  {
    name: "around-interruption-ignored",
    what: "an around that is interrupted leaves the value as it was",
    edits: [
      {
        file: `${internal}/write/around.ts`,
        from: `      const change = Exit.isSuccess(exit) ? { ofKey: remove, keepsStale } : doubted`,
        to: `      if (Exit.hasInterrupts(exit)) return yield* exit
      const change = Exit.isSuccess(exit) ? { ofKey: remove, keepsStale } : doubted`,
      },
    ],
  },
  {
    name: "around-removes-before",
    what: "around removes the key before its effect runs, and not after it",
    edits: [
      {
        file: `${internal}/write/around.ts`,
        from: `      if (expiresBefore) yield* whenCommitted(engine, () => changeAll(engine, target, doubted))`,
        to: `      yield* whenCommitted(engine, () => changeAll(engine, target, expiresBefore ? doubted : { ofKey: remove, keepsStale }))`,
      },
      {
        file: `${internal}/write/around.ts`,
        from: `      const change = Exit.isSuccess(exit) ? { ofKey: remove, keepsStale } : doubted`,
        to: `      if (engine.closed || !engine.closed) return yield* exit
      const change = Exit.isSuccess(exit) ? { ofKey: remove, keepsStale } : doubted`,
      },
    ],
  },
  {
    name: "lag-ignored",
    what: "what a lookup brings soon after a change stays fresh, though replicas may lag",
    edits: [
      {
        file: `${internal}/flight/replicaLag.ts`,
        from: `  return left > 0 ? capped(entry, begun + left) : entry`,
        to: `  return left > 0 ? capped(entry, begun + left + 100_000) : entry`,
      },
    ],
  },
  {
    name: "untouched-ignored",
    what: "an error that says that the source has not changed expires the key",
    edits: [
      {
        file: `${internal}/write/untouched.ts`,
        from: `  if (untouched === undefined || Exit.isSuccess(exit)) return false`,
        to: `  if (untouched === undefined || Exit.isSuccess(exit) || engine.settings.name !== "") return false`,
      },
    ],
  },
  {
    name: "lone-lease-not-renewed",
    what: "a holder of a lease alone does not renew it",
    edits: [
      {
        file: `${internal}/lease/hold.ts`,
        from: `          if (isHeld) this.#until = sent + settings.lease
          return isHeld`,
        to: `          return isHeld || sent > 0`,
      },
    ],
  },
  {
    name: "lone-lease-loss-ignored",
    what: "a holder of a lease alone works on though the arbiter has given it to another",
    edits: [
      {
        file: `${internal}/lease/hold.ts`,
        from: `        if (isHeld === false || this.#left <= 0) return yield* this.#lost`,
        to: `        if (this.#left <= 0) return yield* this.#lost`,
      },
    ],
  },
  {
    name: "lone-lease-kept",
    what: "a holder of a lease alone does not return it",
    edits: [
      {
        file: `${internal}/lease/acquire.ts`,
        from: `      wanted.arbiter.release(wanted.key, token, 0),`,
        to: `      Effect.asVoid(wanted.arbiter.renew(wanted.key, token, wanted.settings.lease)),`,
      },
    ],
  },
  {
    name: "transaction-ignored",
    what: "a write in a transaction changes the cache before the commit",
    edits: [
      {
        file: `${internal}/write/whenCommitted.ts`,
        from: `    const asked = Effect.exit(Effect.suspend(() => afterCommit(changed)))`,
        to: `    const asked = Effect.exit(Effect.andThen(changed, afterCommit(Effect.void)))`,
      },
    ],
  },
  {
    name: "commit-unheard",
    what: "a write in a transaction does not change the cache once it is committed",
    edits: [
      {
        file: `${internal}/write/whenCommitted.ts`,
        from: `      Effect.map(Effect.exit(change(isPutOff)), (exit) => {`,
        to: `      isPutOff ? Effect.void : Effect.map(Effect.exit(change(isPutOff)), (exit) => {`,
      },
    ],
  },
]
