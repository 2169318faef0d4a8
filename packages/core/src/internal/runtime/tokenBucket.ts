/** A limit on how often something happens, in monotonic time: no timer, no fiber. */
export class TokenBucket {
  readonly #perSecond: number
  readonly #burst: number
  #tokens: number
  #at = -Infinity

  /** In no second more than `perSecond`, of which `burst` at once. `burst` must be the lower one. */
  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond - burst
    this.#burst = burst
    this.#tokens = burst
  }

  /** Takes `count` tokens, at most `burst`, if there are as many at this moment (ms). */
  take(count: number, now: number): boolean {
    this.#refill(now)
    if (this.#tokens < count) return false
    this.#tokens -= count
    return true
  }

  /** ms from this moment until there are `count` tokens, if none are taken. */
  readyIn(count: number, now: number): number {
    this.#refill(now)
    return Math.max(0, ((count - this.#tokens) * 1_000) / this.#perSecond)
  }

  #refill(now: number): void {
    const since = Math.max(0, now - this.#at)
    this.#tokens = Math.min(this.#burst, this.#tokens + (since * this.#perSecond) / 1_000)
    this.#at = now
  }
}
