/**
 * An insertion-ordered set whose members hold the links: adding and deleting allocate nothing. A
 * `Set` rebuilds its table whenever it has shrunk by much, even if one member comes and goes.
 */

/** A member of at most one chain. Only the chain writes the fields. */
export abstract class Linked<T> {
  chain: object | undefined = undefined
  before: T | undefined = undefined
  after: T | undefined = undefined
}

export class Chain<T extends Linked<T>> {
  #first: T | undefined
  #last: T | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  get first(): T | undefined {
    return this.#first
  }

  add(member: T): void {
    member.chain = this
    member.before = this.#last
    if (this.#last === undefined) this.#first = member
    else this.#last.after = member
    this.#last = member
    this.#size += 1
  }

  /** Does nothing for a non-member. */
  delete(member: T): void {
    if (!this.has(member)) return
    const { after, before } = member
    if (before === undefined) this.#first = after
    else before.after = after
    if (after === undefined) this.#last = before
    else after.before = before
    member.chain = undefined
    member.before = undefined
    member.after = undefined
    this.#size -= 1
  }

  has(member: T): boolean {
    return member.chain === this
  }

  /**
   * Deletes all members in order and calls `tell` with each, which may delete others. Rethrows the
   * first error after the last call.
   */
  drain(tell: (member: T) => void): void {
    let failure: { readonly error: unknown } | undefined
    for (let first = this.#first; first !== undefined; first = this.#first) {
      this.delete(first)
      try {
        tell(first)
      } catch (error) {
        failure ??= { error }
      }
    }
    if (failure !== undefined) throw failure.error
  }

  /** A copy of the current members. */
  all(): ReadonlyArray<T> {
    const all: Array<T> = []
    for (let member = this.#first; member !== undefined; member = member.after) all.push(member)
    return all
  }

  find(is: (member: T) => boolean): T | undefined {
    for (let member = this.#first; member !== undefined; member = member.after) {
      if (is(member)) return member
    }
    return undefined
  }

  some(is: (member: T) => boolean): boolean {
    return this.find(is) !== undefined
  }
}
