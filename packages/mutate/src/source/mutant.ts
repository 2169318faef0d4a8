/** What a mutation is, before and after it is numbered. */

/** One way to change the source of a node: the text that replaces it. */
export interface Change {
  readonly operator: string
  readonly mutated: string
}

/**
 * A node with its changes. The replacement of an expression is an expression;
 * a statement is only ever left out.
 */
export interface Placement {
  readonly kind: "expression" | "statement"
  readonly start: number
  readonly end: number
  readonly changes: ReadonlyArray<Change>
}

/** A change with its number: the number that switches it on, and 0 is no mutant. */
export interface Mutant extends Change {
  readonly id: number
  /** The number of the node: what a test that evaluates the node covers. */
  readonly placement: number
  readonly file: string
  readonly line: number
  readonly column: number
  readonly original: string
  /** The line of the source, without its indentation. */
  readonly text: string
}
