/** How long the steps in tiers of one call may take together, ms. */
export class Budget {
  readonly whole: number
  left: number
  constructor(whole: number, left: number = whole) {
    this.whole = whole
    this.left = left
  }
}
